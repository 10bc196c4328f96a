import { notFound, ServiceError } from '#platform/errors.ts'
import { isOwner } from '../domain/notification.ts'
import { allPreferences, type ChannelPreference, type Preference, parsePreferences } from '../domain/preference.ts'
import { mostSubscriptions, type PushSubscription, parseSubscription } from '../domain/subscription.ts'
import { type Caller, type NotificationsDependencies, signedIn } from './dependencies.ts'

/** How a person wants to be reached, for that person alone to say. */
export function createSettings({ store, now, newId, pushPublicKey, allowsLocalPush }: NotificationsDependencies) {
  const rules = { local: allowsLocalPush }
  return {
    pushPublicKey,

    /** Every channel and type. Throws NOT_FOUND. */
    async preferencesOf(viewer: Caller, userId: string): Promise<ChannelPreference[]> {
      if (!isOwner(viewer, userId)) throw notFound('user')
      return allPreferences(await store.findPreferences(userId))
    },

    /** Changes all of these, or none. Answers every channel and type. Throws UNAUTHENTICATED, BAD_USER_INPUT. */
    async updatePreferences(caller: Caller, changes: readonly Preference[]): Promise<ChannelPreference[]> {
      const userId = signedIn(caller)
      if (!(await store.putPreferences(userId, parsePreferences(changes)))) throw accountGone()
      return allPreferences(await store.findPreferences(userId))
    },

    /** Sends pushes to a browser from now on. Repeated, it answers the same. Throws UNAUTHENTICATED, BAD_USER_INPUT. */
    async subscribeToPush(caller: Caller, input: Parameters<typeof parseSubscription>[0]): Promise<PushSubscription> {
      const subscription = {
        id: newId(),
        userId: signedIn(caller),
        ...parseSubscription(input, rules),
        createdAt: now(),
      }
      const kept = await store.putSubscription(subscription, mostSubscriptions)
      if (!kept) throw accountGone()
      return kept
    },

    /** Sends no more pushes to a browser. False when there was no such subscription of the caller. Throws UNAUTHENTICATED. */
    async unsubscribeFromPush(caller: Caller, endpoint: string): Promise<boolean> {
      return store.removeSubscription(signedIn(caller), endpoint)
    },
  }
}

/** Refuses a person whose account is gone, though the access token is not. */
function accountGone(): ServiceError {
  return new ServiceError('UNAUTHENTICATED', 'The account no longer exists.')
}
