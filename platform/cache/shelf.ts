/** What is remembered of an id: its value, or that it has none. */
export type Remembered<Value> = { readonly value: Value | undefined }

/** What a load found. Of what is not there the version is 0: whatever is known to have been written is newer. */
export type Loaded<Value> = { readonly id: string; readonly version: number; readonly value: Value | undefined }

/** Where a cache keeps what it remembers. */
export type Shelf<Value> = {
  /** What is remembered of ids, in their order. Undefined when the shelf cannot be used now. */
  read(ids: readonly string[]): Promise<readonly (Remembered<Value> | undefined)[] | undefined>
  /** Asks to load ids, before the load begins. Undefined when the shelf cannot be used now. */
  lead(ids: readonly string[]): Promise<Lead<Value> | undefined>
  /** Forgets what is older than a version that is committed, also what is still being loaded. */
  invalidate(id: string, version: number): Promise<void>
}

/** The permission to load. */
export type Lead<Value> = {
  /** The ids that nobody else is loading. */
  readonly ids: readonly string[]
  /** Remembers what a load found, unless something newer is known by now, and ends the lead. */
  store(found: readonly Loaded<Value>[]): Promise<void>
  /** Ends the lead of a load that failed. */
  release(): Promise<void>
}

export type ShelfOptions<Value> = {
  name: string
  /** Milliseconds that a value is remembered at the most, and that nothing is there. Up to a tenth less, by chance. */
  time: () => number
  absentTime: number
  /** Reads a value that was written as JSON. Throws for what it cannot read. */
  parse: (value: unknown) => Value
}

/** A time to remember something for, shortened by chance, so that what was remembered at once is not forgotten at once. */
export function jittered(milliseconds: number): number {
  return Math.ceil(milliseconds * (1 - Math.random() / 10))
}
