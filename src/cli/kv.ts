import { create, fromJsonString } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import type { Fence } from '../../gen/concord/kv/v1/fence_pb.ts';
import { FenceSchema } from '../../gen/concord/kv/v1/fence_pb.ts';
import type { KeyValue } from '../../gen/concord/kv/v1/key_value_pb.ts';
import {
  DeleteRangeResponseSchema,
  DeleteResponseSchema,
  GetResponseSchema,
  PutResponseSchema,
  TxnRequestSchema,
  TxnResponseSchema,
} from '../../gen/concord/kv/v1/kv_service_pb.ts';
import type { OperationResult } from '../../gen/concord/kv/v1/txn_pb.ts';
import { given, parseDuration, parseInt64, readInput, valueFields } from './arguments.ts';
import { EXIT, usageError } from './failure.ts';
import { type Output, shown } from './output.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';

const FENCED =
  'write only while the lock or leadership that "concord lock" or "concord elect" runs this under is held';

/** Adds `get`, `put`, `del` and `txn`. */
export function addKvCommands(program: Command, runtime: Runtime): void {
  program
    .command('get')
    .summary('print the value of a key')
    .description('Prints the value of a key, and a newline. A key that does not exist: exit code 3.')
    .argument('<key>', 'the key')
    .option('-n, --no-newline', 'print the bytes of the value and nothing else')
    .option('--revision <n>', 'read at this revision of the store', parseInt64)
    .action((key: string, options: GetOptions, command: Command) =>
      runCommand(runtime, command, (use) => get(key, options, use)),
    );
  program
    .command('put')
    .summary('write a key')
    .description(
      'Writes a key. Without a value, or with "-", the value is read from standard input, byte for byte.',
    )
    .argument('<key>', 'the key')
    .argument('[value]', 'the value; "-" reads it from standard input', '-')
    .option('--ttl <time>', 'the key goes away after this time, such as 30s', parseDuration)
    .option('--lease <id>', 'the key goes away with this lease', parseInt64)
    .option(
      '--expected-revision <n>',
      'write only if the key was last changed at n; 0: if it does not exist',
      parseInt64,
    )
    .option('--fenced', FENCED)
    .action((key: string, value: string, options: PutOptions, command: Command) =>
      runCommand(runtime, command, (use) => put(key, value, options, use)),
    );
  program
    .command('del')
    .summary('delete a key, or all with a prefix')
    .description(
      'Deletes a key, or with --prefix all keys that begin with it, and prints how many. None: exit code 3.',
    )
    .argument('<key>', 'the key, or the prefix')
    .option('--prefix', 'delete all keys that begin with <key>')
    .option('--expected-revision <n>', 'delete only what was not changed after n', parseInt64)
    .option('--fenced', FENCED)
    .action((key: string, options: DeleteOptions, command: Command) =>
      runCommand(runtime, command, (use) => del(key, options, use)),
    );
  program
    .command('txn')
    .summary('run a transaction')
    .description(
      'Runs a concord.kv.v1.TxnRequest, given as JSON: one of two branches, all at one revision. Exit code 4 where the failure branch ran.',
    )
    .argument('[file]', 'the request; "-" reads it from standard input', '-')
    .option('--fenced', FENCED)
    .addHelpText(
      'after',
      `\nExample:\n  echo '{"compares":[{"key":"a","version":0}],"success":[{"put":{"key":"a","value":"1"}}]}' | concord txn`,
    )
    .action((file: string, options: { readonly fenced?: true }, command: Command) =>
      runCommand(runtime, command, (use) => txn(file, options, use)),
    );
}

interface GetOptions {
  readonly newline: boolean;
  readonly revision?: bigint;
}

interface PutOptions {
  readonly ttl?: ReturnType<typeof parseDuration>;
  readonly lease?: bigint;
  readonly expectedRevision?: bigint;
  readonly fenced?: true;
}

interface DeleteOptions {
  readonly prefix?: true;
  readonly expectedRevision?: bigint;
  readonly fenced?: true;
}

async function get(key: string, { newline, revision }: GetOptions, use: Use): Promise<undefined> {
  const { gateway, output } = use;
  const answer = await gateway.kv.get({ key, ...given({ revision }) }, use.call());
  if (output.isJson) return void (await output.message(GetResponseSchema, answer));
  const { value = '', valueBytes = new Uint8Array() } = answer.kv ?? {};
  const bytes = valueBytes.length > 0 ? valueBytes : Buffer.from(value);
  await output.bytes(newline ? Buffer.concat([bytes, Buffer.from('\n')]) : bytes);
  return undefined;
}

async function put(key: string, value: string, options: PutOptions, use: Use): Promise<undefined> {
  const { ttl, lease: leaseId, expectedRevision } = options;
  const content = value === '-' ? valueFields(readInput('-')) : { value };
  const fence = fenceOf(options, use.env);
  const request = { key, ...content, ...given({ ttl, leaseId, expectedRevision, fence }) };
  const answer = await use.gateway.kv.put(request, use.call());
  const { output } = use;
  if (output.isJson) return void (await output.message(PutResponseSchema, answer));
  const lease = answer.leaseId === 0n ? '' : `, lease ${answer.leaseId}`;
  await output.line(`revision ${answer.revision}, version ${answer.version}${lease}`);
  return undefined;
}

async function del(key: string, options: DeleteOptions, use: Use): Promise<number> {
  const { gateway, output } = use;
  const conditions = given({ expectedRevision: options.expectedRevision, fence: fenceOf(options, use.env) });
  if (options.prefix) {
    if (key === '') throw usageError('an empty prefix would delete everything; name one');
    const answer = await gateway.kv.deleteRange({ prefix: key, ...conditions }, use.call());
    if (output.isJson) await output.message(DeleteRangeResponseSchema, answer);
    else await output.line(`deleted ${answer.deletedCount}`);
    return answer.deletedCount > 0n ? EXIT.ok : EXIT.notFound;
  }
  const answer = await gateway.kv.delete({ key, ...conditions }, use.call());
  if (output.isJson) await output.message(DeleteResponseSchema, answer);
  else await output.line(`deleted ${answer.deleted ? 1 : 0}`);
  return answer.deleted ? EXIT.ok : EXIT.notFound;
}

async function txn(file: string, options: { readonly fenced?: true }, use: Use): Promise<number> {
  const request = readTxn(file);
  const fence = fenceOf(options, use.env);
  const answer = await use.gateway.kv.txn(
    { ...request, ...given({ fence: fence ?? request.fence }) },
    use.call(),
  );
  const { output } = use;
  if (output.isJson) await output.message(TxnResponseSchema, answer);
  else {
    const branch = answer.succeeded ? output.paint('green', 'success') : output.paint('yellow', 'failure');
    await output.line(`${branch} at revision ${answer.revision}`);
    for (const result of answer.results) await printResult(result, '  ', output);
  }
  return answer.succeeded ? EXIT.ok : EXIT.conflict;
}

function readTxn(file: string): ReturnType<typeof create<typeof TxnRequestSchema>> {
  const text = Buffer.from(readInput(file)).toString();
  try {
    return fromJsonString(TxnRequestSchema, text);
  } catch (error) {
    throw usageError(`this is no TxnRequest: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function printResult({ result }: OperationResult, indent: string, output: Output): Promise<void> {
  switch (result.case) {
    case 'get':
      for (const kv of result.value.kvs) await output.line(`${indent}get  ${keyText(kv)}  ${valueText(kv)}`);
      if (result.value.kvs.length === 0) await output.line(`${indent}get  nothing`);
      return;
    case 'put':
      return output.line(`${indent}put`);
    case 'delete':
      return output.line(`${indent}delete  ${result.value.deletedCount}`);
    case 'txn':
      await output.line(`${indent}txn  ${result.value.succeeded ? 'success' : 'failure'}`);
      for (const each of result.value.results) await printResult(each, `${indent}  `, output);
      return;
    case undefined:
      return;
  }
}

/** The key as it is shown. */
export function keyText({ key, keyBytes }: KeyValue): string {
  return shown(key, keyBytes);
}

/** The value as it is shown, on one line. */
export function valueText({ value, valueBytes }: KeyValue): string {
  return shown(value, valueBytes);
}

/** The fence of what this runs under. Throws where `--fenced` is given and it runs under nothing. */
function fenceOf({ fenced }: { readonly fenced?: true }, env: Use['env']): Fence | undefined {
  if (fenced === undefined) return undefined;
  const { CONCORD_LOCK_NAME: lock, CONCORD_ELECTION_NAME: election, CONCORD_FENCING_TOKEN: text = '' } = env;
  const holder = lock
    ? { case: 'lock' as const, value: lock }
    : { case: 'election' as const, value: election ?? '' };
  if (holder.value === '' || !/^\d+$/.test(text))
    throw usageError(
      '--fenced needs to run under "concord lock" or "concord elect": CONCORD_FENCING_TOKEN is not set',
    );
  return create(FenceSchema, { holder, token: BigInt(text) });
}
