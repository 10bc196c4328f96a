import { isLive, type LiveSetting, type Parsed, reasonOf, type Schema, type Settings } from './env.ts'

type LiveName<S extends Settings> = { [Name in keyof S]: S[Name] extends LiveSetting ? Name : never }[keyof S]

/** The settings that stay as they are. The others are not among them, so that nobody reads one once and for all. */
export type Fixed<S extends Settings> = Omit<Parsed<S>, LiveName<S>>

/** The settings that may change, as they are now. */
export type Live<S extends Settings> = { readonly current: Pick<Parsed<S>, LiveName<S>> } & Takes

/** Values from outside, by the name of the setting. */
export type Given = ReadonlyMap<string, string>

/** A value that is not taken, and why. */
export type Refused = {
  readonly setting: string
  /** Whether this process has such a setting. */
  readonly known: boolean
  readonly reason: string
}

/** What came of what was given. */
export type Taken = {
  /** The settings with another value than before: undefined for that of the start. */
  readonly changed: ReadonlyMap<string, string | undefined>
  /** What is refused now and was not before. */
  readonly refused: readonly Refused[]
}

export type Takes = {
  /** How many settings have a value that was given, and of how many the newest value is refused. */
  readonly counts: { readonly applied: number; readonly refused: number }
  /**
   * Takes what is given now, to this process and to all: its own goes before, and a setting that is not given any more is
   * what it was at the start. What is given to all may be meant for others: what this process does not know is ignored.
   */
  take(given: { own: Given; all: Given }): Taken
}

/** Characters of a value, at the most. */
const longest = 4_096

/**
 * The settings of a process that may change while it runs, from what they are at its start.
 *
 * Guarantees: every value was read by the type of its setting, and all of them together, with those that are fixed, meet the
 * rules of the start. What does not is refused by itself, and the last value that was good stays in force for as long as
 * one is given. Whoever reads `current` sees all of a change or nothing.
 */
export function createLive<S extends Settings>({ settings, rules }: Schema<S>, start: Parsed<S>) {
  let current = start
  /** What is in force of what was given. */
  let applied: Given = new Map()
  /** What is refused, as it was given, so that it is told of once. */
  let refused: Given = new Map()

  /** Why a value is not taken, whatever the others are. */
  function faultOf(setting: string, text: string): string | undefined {
    const type = Object.hasOwn(settings, setting) ? settings[setting] : undefined
    if (!type) return 'is no setting of this process'
    if (!isLive(type)) return 'cannot change while the process runs'
    if (text.trim() === '') return 'is empty: delete it to go back'
    if (text.length > longest) return `is longer than ${longest} characters`
    const result = type.safeParse(text)
    return result.success ? undefined : reasonOf(result.error)
  }

  function valuesOf(given: Given): Parsed<S> {
    const values = [...given].map(([setting, text]) => [setting, settings[setting]?.parse(text)])
    return { ...start, ...Object.fromEntries(values) }
  }

  function brokenBy(given: Given): string[] {
    const values = valuesOf(given)
    return rules.flatMap((rule) => rule(values))
  }

  /**
   * Of each setting the first value that fits to the others: all of the first ones where they fit to each other, or else
   * one after another, beginning with what was in force.
   */
  function fitting(wanted: ReadonlyMap<string, readonly string[]>, refuse: (setting: string, reason: string) => void) {
    const first = new Map([...wanted].flatMap(([setting, [text]]) => (text === undefined ? [] : [[setting, text]])))
    if (brokenBy(first).length === 0) return first
    const before = new Map([...applied].filter(([setting, text]) => wanted.get(setting)?.includes(text)))
    const chosen = brokenBy(before).length === 0 ? before : new Map<string, string>()
    for (const [setting, texts] of wanted) {
      const faults = texts.map((text) => brokenBy(new Map([...chosen, [setting, text]])))
      const [fault] = faults[0] ?? []
      if (fault !== undefined) refuse(setting, fault.replace(`${setting}: `, ''))
      const fit = texts[faults.findIndex((found) => found.length === 0)]
      if (fit !== undefined) chosen.set(setting, fit)
    }
    return chosen
  }

  return {
    /** The settings as they are now. */
    get current(): Parsed<S> {
      return current
    },
    get counts() {
      return { applied: applied.size, refused: refused.size }
    },
    take({ own, all }: { own: Given; all: Given }): Taken {
      const faults: (Refused & { readonly text: string })[] = []
      const refuse = (setting: string, text: string, reason: string) =>
        faults.push({ setting, text, reason, known: Object.hasOwn(settings, setting) })
      const wanted = new Map<string, string[]>()
      for (const setting of new Set([...own.keys(), ...all.keys()])) {
        const [ownText, allText, last] = [own.get(setting), all.get(setting), applied.get(setting)]
        const texts = (ownText === undefined ? [allText, last] : [ownText, last, allText]).filter(
          (text) => text !== undefined,
        )
        const [newest = ''] = texts
        if (ownText === undefined && !Object.hasOwn(settings, setting)) continue
        const fault = faultOf(setting, newest)
        if (fault !== undefined) refuse(setting, newest, fault)
        wanted.set(
          setting,
          texts.filter((text) => faultOf(setting, text) === undefined),
        )
      }
      const bad = new Set(faults.map(({ setting }) => setting))
      const chosen = fitting(wanted, (setting, reason) => {
        if (!bad.has(setting)) refuse(setting, wanted.get(setting)?.[0] ?? '', reason)
      })

      const before = { applied, refused }
      const changed = new Map(
        [...new Set([...applied.keys(), ...chosen.keys()])]
          .filter((setting) => applied.get(setting) !== chosen.get(setting))
          .map((setting) => [setting, chosen.get(setting)]),
      )
      if (changed.size > 0) current = valuesOf(chosen)
      applied = chosen
      refused = new Map(faults.map(({ setting, text }) => [setting, text]))
      return {
        changed,
        refused: faults
          .filter(({ setting, text }) => before.refused.get(setting) !== text)
          .map(({ setting, known, reason }) => ({ setting, known, reason })),
      }
    },
  }
}
