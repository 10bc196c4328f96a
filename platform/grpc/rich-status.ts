import protobuf from 'protobufjs'
import type { ErrorCode, ErrorDetails } from '../errors.ts'

/**
 * The standard form of what an error says beside its status, which clients in every language can read:
 * https://google.aip.dev/193, https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
 */
const { nested = {} } = protobuf.Root.fromJSON({
  nested: {
    Any: { fields: { type_url: { id: 1, type: 'string' }, value: { id: 2, type: 'bytes' } } },
    Duration: { fields: { seconds: { id: 1, type: 'int64' }, nanos: { id: 2, type: 'int32' } } },
    Status: {
      fields: {
        code: { id: 1, type: 'int32' },
        message: { id: 2, type: 'string' },
        details: { id: 3, type: 'Any', rule: 'repeated' },
      },
    },
    ErrorInfo: { fields: { reason: { id: 1, type: 'string' }, domain: { id: 2, type: 'string' } } },
    BadRequest: { fields: { field_violations: { id: 1, type: 'FieldViolation', rule: 'repeated' } } },
    FieldViolation: { fields: { field: { id: 1, type: 'string' }, description: { id: 2, type: 'string' } } },
    RetryInfo: { fields: { retry_delay: { id: 1, type: 'Duration' } } },
  },
})

/** Says whose error codes these are. */
const domain = 'commerce-supergraph'

/** A google.rpc.Status, encoded: the code as ErrorInfo, the field at fault as BadRequest, the time to wait as RetryInfo. */
export function richStatus(
  status: number,
  { code, message, details }: { code: ErrorCode; message: string; details: ErrorDetails },
): Buffer {
  const parts = [
    packed('ErrorInfo', { reason: code, domain }),
    ...(details.field === undefined
      ? []
      : [packed('BadRequest', { field_violations: [{ field: details.field, description: message }] })]),
    ...(details.retryAfter === undefined
      ? []
      : [packed('RetryInfo', { retry_delay: { seconds: details.retryAfter } })]),
  ]
  return Buffer.from(encoded('Status', { code: status, message, details: parts }))
}

function packed(name: string, value: object): object {
  return { type_url: `type.googleapis.com/google.rpc.${name}`, value: encoded(name, value) }
}

function encoded(name: string, value: object): Uint8Array {
  const type = nested[name]
  if (!(type instanceof protobuf.Type)) throw new Error(`There is no message ${name}.`)
  return type.encode(type.create(value)).finish()
}
