import type { NotificationServiceDefinition } from '#generated/grpc/notifications/v1/NotificationService.ts'
import type { RpcHandlers } from '#platform/grpc/server.ts'
import type { NotificationsService } from './service.ts'

export function createRpcHandlers(service: NotificationsService): RpcHandlers<NotificationServiceDefinition> {
  return {
    SendCode: {
      callers: ['users'],
      async handle(request) {
        await service.sendCode(request)
        return {}
      },
    },
  }
}
