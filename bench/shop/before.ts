/**
 * Loaded into each process before its own code (`node --import`) by `bench:shop --before`: what no setting switches off, since
 * nobody should. A connection to the database is made for each statement or transaction and closed after it; a loader asks
 * for each key by itself, each time.
 */
import DataLoader from 'dataloader'
import pg from 'pg'

const connect = pg.Pool.prototype.connect
pg.Pool.prototype.connect = function (this: pg.Pool, ...args: never[]) {
  Object.assign(this.options, { maxUses: 1 })
  return Reflect.apply(connect, this, args)
}

type Loads = { _batchLoadFn: (keys: unknown[]) => Promise<ArrayLike<unknown>> }

DataLoader.prototype.load = async function load(this: unknown, key: unknown) {
  const [value] = Array.from(await (this as Loads)._batchLoadFn([key]))
  if (value instanceof Error) throw value
  return value
}
DataLoader.prototype.loadMany = function loadMany(keys: ArrayLike<unknown>) {
  return Promise.all(Array.from(keys, (key) => this.load(key)))
}
