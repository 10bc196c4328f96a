import type { Resolvers } from '#generated/graphql/users.ts'
import { notFound, signInFirst } from '#platform/errors.ts'
import { parseId } from '#platform/input.ts'
import { maySeeUser, type User } from './domain.ts'
import type { Context } from './loaders.ts'
import type { UsersService } from './service.ts'

export function createResolvers(service: UsersService): Resolvers {
  return {
    Query: {
      me(_root, _args, context) {
        if (context.principal.sub === null) throw signInFirst()
        return load(context.principal.sub, context)
      },
    },
    Mutation: {
      register: (_root, { input }) => service.register({ ...input, locale: input.locale ?? 'en' }),
      login: (_root, { input }) => service.login(input),
      refreshSession: (_root, { input }) => service.refreshSession(input.refreshToken),
    },
    User: {
      __resolveReference(reference, context) {
        const id = parseId(reference.id)
        if (!id || !maySeeUser(context.principal, id)) throw notFound('user')
        return load(id, context)
      },
      roles: ({ roles }) => [...roles],
    },
  }
}

async function load(id: string, { users }: Context): Promise<User> {
  const user = await users.load(id)
  if (!user) throw notFound('user')
  return user
}
