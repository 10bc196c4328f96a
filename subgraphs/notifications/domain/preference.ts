import { badInput } from '#platform/errors.ts'
import { type ChannelName, channelNames } from './channel.ts'
import type { NotificationType } from './message.ts'

/** What a person said about a channel and a type. */
export type Preference = { readonly channel: ChannelName; readonly type: NotificationType; readonly enabled: boolean }

/** The same with what nobody may change. */
export type ChannelPreference = Preference & { readonly required: boolean }

/**
 * Whether a type can be switched off. Those that cannot tell that somebody uses the account: whoever took it over must not be
 * able to do so unseen.
 */
const required: Record<NotificationType, boolean> = {
  WELCOME: false,
  ORDER_PLACED: false,
  ORDER_PAID: false,
  PAYMENT_DECLINED: false,
  ORDER_SHIPPED: false,
  ORDER_DELIVERED: false,
  ORDER_CANCELLED: false,
  PAYMENT_REFUNDED: false,
  NEW_SIGN_IN: true,
  PASSWORD_CHANGED: true,
  EMAIL_CHANGED: true,
}

const types = Object.keys(required) as NotificationType[]
/** What protects an account, and cannot be switched off. */
export const requiredTypes: readonly NotificationType[] = types.filter((type) => required[type])

type Place = Pick<Preference, 'channel' | 'type'>

function at({ channel, type }: Place): (preference: Preference) => boolean {
  return (preference) => preference.channel === channel && preference.type === type
}

/** Whether a type goes over a channel. What nobody said anything about does. */
export function isSwitchedOn(place: Place, preferences: readonly Preference[]): boolean {
  return required[place.type] || (preferences.find(at(place))?.enabled ?? true)
}

/** Every channel and type, as they are for a person who said these. */
export function allPreferences(preferences: readonly Preference[]): ChannelPreference[] {
  return channelNames.flatMap((channel) =>
    types.map((type) => {
      const place = { channel, type }
      return { ...place, enabled: isSwitchedOn(place, preferences), required: required[type] }
    }),
  )
}

/** Reads what a person wants to change. Throws BAD_USER_INPUT for nothing, for contradictions and for what is required. */
export function parsePreferences(changes: readonly Preference[]): readonly Preference[] {
  const most = channelNames.length * types.length
  if (changes.length < 1 || changes.length > most) {
    throw badInput('preferences', `This has 1 to ${most} preferences.`)
  }
  for (const [index, change] of changes.entries()) {
    if (changes.findIndex(at(change)) < index) {
      throw badInput(`preferences.${index}`, 'This channel and type stands here twice.')
    }
    if (required[change.type] && !change.enabled) {
      throw badInput(`preferences.${index}.enabled`, 'Notifications of this type cannot be switched off.')
    }
  }
  return changes
}
