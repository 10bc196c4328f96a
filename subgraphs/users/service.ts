import { createCodes } from './service/codes.ts'
import type { UsersDependencies } from './service/dependencies.ts'
import { createDirectory } from './service/directory.ts'
import { createPasswordUseCases } from './service/passwords.ts'
import { createProfileUseCases } from './service/profile.ts'
import { createRegistration } from './service/registration.ts'
import { createSessionUseCases } from './service/sessions.ts'

/** What can be done with accounts. */
export function createUsersService(dependencies: UsersDependencies) {
  const codes = createCodes(dependencies)
  return {
    ...createRegistration(dependencies, codes),
    ...createSessionUseCases(dependencies),
    ...createPasswordUseCases(dependencies, codes),
    ...createProfileUseCases(dependencies, codes),
    ...createDirectory(dependencies),
  }
}

export type UsersService = ReturnType<typeof createUsersService>
