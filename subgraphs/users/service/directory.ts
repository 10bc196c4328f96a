import { badInput, notFound } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import {
  maySeeUser,
  parseRoles,
  parseSearch,
  type Role,
  requireAccount,
  requireAnAdmin,
  requireScope,
  type User,
} from '../domain/account.ts'
import type { UserListing } from '../store/accounts.ts'
import type { Caller, UsersDependencies } from './dependencies.ts'

/** Ids that one call may ask for. */
const mostIds = 100

/** Accounts as support, administrators and other services look at them. */
export function createDirectory({ store, audit, now }: UsersDependencies) {
  async function user(text: string): Promise<User> {
    const id = parseId(text)
    const [found] = id ? await store.findUsers([id]) : []
    if (!found) throw notFound('user')
    return found
  }

  return {
    /** For peers. Throws NOT_FOUND. */
    user,

    /** For peers: the accounts that exist among the ids, each once, in the order of the ids. Throws BAD_USER_INPUT. */
    async usersByIds(texts: readonly string[]): Promise<User[]> {
      if (texts.length > mostIds) throw badInput('ids', `At most ${mostIds} ids.`)
      const ids = [...new Set(texts.flatMap((text) => parseId(text) ?? []))]
      const found = new Map((await store.findUsers(ids)).map((user) => [user.id, user]))
      return ids.flatMap((id) => found.get(id) ?? [])
    },

    /**
     * The caller's own account, or any with the scope `users:read`. Throws UNAUTHENTICATED, and NOT_FOUND for an account that
     * is not there or another's, in the same words.
     */
    async userFor(caller: Caller, text: string): Promise<User> {
      requireAccount(caller)
      if (!maySeeUser(caller, parseId(text) ?? text)) throw notFound('user')
      return user(text)
    },

    /** One more than asked for tells whether more follows. Throws UNAUTHENTICATED, FORBIDDEN or BAD_USER_INPUT. */
    async list(
      caller: Caller,
      { search, limit, after }: Omit<UserListing, 'search'> & { search?: string | null | undefined },
    ): Promise<User[]> {
      requireScope(caller, 'users:read')
      return store.listUsers({ search: parseSearch(search), limit: limit + 1, after })
    },

    /**
     * Gives an account its roles, which reach its tokens when its sessions are refreshed next. Throws BAD_USER_INPUT,
     * ILLEGAL_TRANSITION for the last administrator, UNAUTHENTICATED, FORBIDDEN or NOT_FOUND.
     */
    async setUserRoles(caller: Caller, input: { userId: string; roles: readonly Role[] }): Promise<User> {
      requireScope(caller, 'users:write')
      const roles = parseRoles(input.roles)
      const id = parseId(input.userId)
      if (!id) throw notFound('user')
      const changed = await store.changeRoles(id, now(), ({ user }, otherAdmins) => {
        if (user.roles.includes('ADMIN') && !roles.includes('ADMIN')) requireAnAdmin(otherAdmins)
        return { user: { ...user, roles }, events: [] }
      })
      if (!changed) throw notFound('user')
      audit({ action: 'roles.changed', actor: caller.sub, target: id, address: caller.address, detail: { roles } })
      return changed
    },
  }
}
