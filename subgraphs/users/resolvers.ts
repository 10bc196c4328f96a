import type { Resolvers } from '#generated/graphql/users.ts'
import { notFound, signInFirst } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { parsePage, toConnection } from '#platform/paging.ts'
import { maySeeUser, type User } from './domain/account.ts'
import type { Context } from './loaders.ts'
import type { UsersService } from './service.ts'

export function createResolvers(service: UsersService): Resolvers {
  return {
    Query: {
      me(_root, _args, context) {
        if (context.principal.sub === null) throw signInFirst()
        return load(context.principal.sub, context)
      },
      user: (_root, { id }, { principal }) => service.userFor(principal, id),
      async users(_root, { search, ...args }, { principal }) {
        const page = parsePage(args)
        return toConnection(await service.list(principal, { search, ...page }), page)
      },
    },
    Mutation: {
      register: (_root, { input }, { principal }) =>
        service.register(principal, { ...input, locale: input.locale ?? 'en' }),
      login: (_root, { input }, { principal }) => service.login(principal, input),
      refreshSession: (_root, { input }, { principal }) => service.refreshSession(principal, input.refreshToken),
      async logout(_root, { input }, { principal }) {
        await service.logout(principal, input.refreshToken)
        return { loggedOut: true }
      },
      async updateProfile(_root, { input }, { principal }) {
        return { user: await service.updateProfile(principal, input) }
      },
      changePassword: (_root, { input }, { principal }) => service.changePassword(principal, input),
      requestPasswordReset(_root, { input }, { principal }) {
        service.requestPasswordReset(principal, input.email)
        return { accepted: true }
      },
      resetPassword: (_root, { input }, { principal }) => service.resetPassword(principal, input),
      async requestEmailVerification(_root, { input }, { principal }) {
        await service.requestEmailVerification(principal, input.email)
        return { accepted: true }
      },
      async verifyEmail(_root, { input }, { principal }) {
        return { user: await service.verifyEmail(principal, input.code) }
      },
      async eraseAccount(_root, { input }, { principal }) {
        await service.eraseAccount(principal, input.password)
        return { erased: true }
      },
      async setUserRoles(_root, { input }, { principal }) {
        return { user: await service.setUserRoles(principal, input) }
      },
    },
    User: {
      __resolveReference(reference, context) {
        const id = parseId(reference.id)
        if (!id || !maySeeUser(context.principal, id)) throw notFound('user')
        return load(id, context)
      },
      emailVerified: ({ emailVerifiedAt }) => emailVerifiedAt !== null,
      roles: ({ roles }) => [...roles],
    },
  }
}

async function load(id: string, { users }: Context): Promise<User> {
  const user = await users.load(id)
  if (!user) throw notFound('user')
  return user
}
