import type { UserServiceDefinition } from '#generated/grpc/users/v1/UserService.ts'
import type { RpcHandlers } from '#platform/grpc/server.ts'
import type { UsersService } from './service.ts'

export function createRpcHandlers(service: UsersService): RpcHandlers<UserServiceDefinition> {
  return {
    GetUser: {
      callers: ['orders'],
      async handle({ id }) {
        const { name, email, locale } = await service.user(id)
        return { id, name, email, locale }
      },
    },
  }
}
