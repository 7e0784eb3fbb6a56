// The contracts with their comments, which generated code does not have.

import { execFileSync } from 'node:child_process';
import {
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  hasOption,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { http } from '../../gen/google/api/annotations_pb.ts';
import { type CommentOf, readComments } from './comments.ts';

/** What proto/ holds. */
export interface Contracts {
  /** The services that are reached by plain HTTP, in the order of {@link AREAS}. */
  readonly services: readonly DescService[];
  readonly commentOf: CommentOf;
  /** Throws an Error where there is none of that name. */
  message(typeName: string): DescMessage;
  readonly registry: FileRegistry;
}

/** The order in which services are documented; those that are not named come last. */
const AREAS = ['kv', 'lease', 'lock', 'election', 'discovery', 'config'];
const MAX_IMAGE_BYTES = 64 * 1024 * 1024;

/** Builds and reads them. Needs `buf` on PATH. */
export function readContracts(): Contracts {
  const image = execFileSync('buf', ['build', '--as-file-descriptor-set', '-o', '-'], {
    maxBuffer: MAX_IMAGE_BYTES,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const services = [...registry]
    .filter((type) => type.kind === 'service')
    .filter(({ methods }) => methods.some((method) => hasOption(method, http)))
    .sort((a, b) => placeOf(a) - placeOf(b) || (a.typeName < b.typeName ? -1 : 1));
  return {
    services,
    commentOf: readComments(registry.files),
    registry,
    message(typeName) {
      const message = registry.getMessage(typeName);
      if (message === undefined) throw new Error(`proto/ has no message ${typeName}`);
      return message;
    },
  };
}

function placeOf({ typeName }: DescService): number {
  const place = AREAS.indexOf(typeName.split('.')[1] ?? '');
  return place === -1 ? AREAS.length : place;
}
