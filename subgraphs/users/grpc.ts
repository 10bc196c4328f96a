import type { NotificationServiceDefinition } from '#generated/grpc/notifications/v1/NotificationService.ts'
import type { User as UserMessage } from '#generated/grpc/users/v1/User.ts'
import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import { notFound } from '#platform/errors.ts'
import type { Peer } from '#platform/grpc/client.ts'
import type { RpcHandlers } from '#platform/grpc/server.ts'
import { parseId } from '#platform/input.ts'
import type { User } from './domain/account.ts'
import type { CodeMail } from './domain/code.ts'
import type { UsersService } from './service.ts'

const peers = ['orders', 'notifications']
const gateway = ['gateway']

export function createRpcHandlers(service: UsersService): RpcHandlers<UserServiceDefinition> {
  return {
    GetUser: {
      callers: peers,
      handle: async ({ id }) => toMessage(await service.user(id)),
    },
    GetUsers: {
      callers: peers,
      handle: async ({ ids }) => ({ users: (await service.usersByIds(ids)).map(toMessage) }),
    },
    CreateUser: {
      callers: gateway,
      async handle({ name, email, password, locale = 'en', phone }, call) {
        return toMessage(await service.createUser(await call.principal(), { name, email, password, locale, phone }))
      },
    },
    UpdateUser: {
      callers: gateway,
      async handle({ id, name, email, phone, locale, currentPassword }, call) {
        const principal = await call.principal()
        if (principal.sub === null || parseId(id) !== principal.sub) throw notFound('user')
        const change = { name, email, locale, currentPassword, phone: phone === '' ? null : phone }
        return toMessage(await service.updateProfile(principal, change))
      },
    },
    Login: {
      callers: gateway,
      async handle(credentials, call) {
        const { user, ...tokens } = await service.login(await call.principal(), credentials)
        return { ...tokens, user: toMessage(user) }
      },
    },
    ValidateToken: {
      callers: gateway,
      handle: async ({ token }) => toMessage(await service.validateToken(token)),
    },
  }
}

function toMessage({ id, name, email, locale, phone, emailVerifiedAt }: User): UserMessage {
  return { id, name, email, locale, ...(phone && { phone }), emailVerified: emailVerifiedAt !== null }
}

/** Milliseconds that a code may take: more than notifications gives a mail server, since a repeat is another mail. */
const codeLimit = 12_000

/** What users asks of notifications. */
export function createNotificationsClient(rpcs: Peer<NotificationServiceDefinition>) {
  return {
    /** Mails a one-time code. Done although whoever asked for it may have gone. */
    async sendCode({ user, purpose, code, lifetime }: CodeMail): Promise<void> {
      const { id: userId, email, name, locale } = user
      const options = { whateverTheDeadline: true, limit: codeLimit }
      await rpcs.sendCode({ userId, email, name, locale, purpose, code, lifetime }, options)
    },
  }
}
