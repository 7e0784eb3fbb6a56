import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';

/** A `google.rpc.Status`, as `grpc-status-details-bin` carries it. */
export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly Any[];
}

/** Reads a `google.rpc.Status` field by field, without the code that wrote it. */
export function readGrpcStatus(bytes: Uint8Array): GrpcStatus {
  const reader = new BinaryReader(bytes);
  const details: Any[] = [];
  let code = 0;
  let message = '';
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) code = reader.int32();
    else if (field === 2) message = reader.string();
    else if (field === 3) details.push(fromBinary(AnySchema, reader.bytes()));
    else reader.skip(wireType, field);
  }
  return { code, message, details };
}
