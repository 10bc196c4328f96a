import { z } from 'zod'
import { defineEvent } from './define.ts'

/** What the users service tells: of accounts, each event keyed by the account. */

const userId = z.uuid().describe('The account.')
const example = { userId: '5b0c2e0a-7d1f-4c43-9a55-0d8a4f1c2b01' }

/** What is needed to write to a person. */
const contact = z.object({
  userId,
  name: z.string().describe('The name as the person wrote it.'),
  email: z.string().describe('The e-mail address, normalised. It need not be proven.'),
  locale: z.string().describe('The language to write in: a BCP 47 tag.'),
  phone: z
    .string()
    .nullable()
    .optional()
    .describe('The phone number, ITU-T E.164. Null: there is none. Absent: not told.'),
})
const exampleContact = {
  ...example,
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  locale: 'en-GB',
  phone: '+15550100000',
}

export const userRegistered = defineEvent('user.registered', {
  topic: 'users',
  key: 'userId',
  summary: 'An account was created. Carries what is needed to write to the person.',
  data: contact,
  example: exampleContact,
})

export const userUpdated = defineEvent('user.updated', {
  topic: 'users',
  key: 'userId',
  summary: 'What is needed to write to a person changed. Carries all of it as it is now.',
  data: contact,
  example: { ...exampleContact, phone: null },
})

export const userSignedIn = defineEvent('user.signed_in', {
  topic: 'users',
  key: 'userId',
  summary: 'A person signed in, by password.',
  data: z.object({ userId }),
  example,
})

export const userPasswordChanged = defineEvent('user.password_changed', {
  topic: 'users',
  key: 'userId',
  summary: 'A password was changed or reset.',
  data: z.object({ userId }),
  example,
})

export const userErased = defineEvent('user.erased', {
  topic: 'users',
  key: 'userId',
  summary: 'An account is gone. Whoever keeps anything personal of it forgets it.',
  data: z.object({ userId }),
  example,
})
