import { createAttempts } from './service/attempts.ts'
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
  const attempts = createAttempts(dependencies)
  return {
    ...createRegistration(dependencies, codes),
    ...createSessionUseCases(dependencies, attempts),
    ...createPasswordUseCases(dependencies, codes, attempts),
    ...createProfileUseCases(dependencies, codes, attempts),
    ...createDirectory(dependencies),
  }
}

export type UsersService = ReturnType<typeof createUsersService>
