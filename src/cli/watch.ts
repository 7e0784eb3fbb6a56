import { create } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { type Event, Event_Type, Event_TypeSchema, EventSchema } from '../../gen/concord/kv/v1/event_pb.ts';
import { type WatchResponse, WatchResponse_Kind } from '../../gen/concord/kv/v1/kv_service_pb.ts';
import { enumWord, given, parseInt64 } from './arguments.ts';
import { usageError } from './failure.ts';
import { follow } from './follow.ts';
import { keyText, valueText } from './kv.ts';
import type { Output, Style } from './output.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';

interface WatchOptions {
  readonly prefix?: true;
  readonly all?: true;
  readonly snapshot?: true;
  readonly glob?: string;
  readonly startRevision?: bigint;
  readonly keysOnly?: true;
}

/** Adds `watch`. */
export function addWatchCommand(program: Command, runtime: Runtime): void {
  program
    .command('watch')
    .summary('print every change of a key, or of all with a prefix')
    .description(
      'Prints every change, one a line, none lost and none twice, also when the gateway restarts. Ctrl-C ends it, with exit code 0.',
    )
    .argument('[key]', 'the key, or the prefix')
    .option('--prefix', 'watch all keys that begin with <key>')
    .option('--all', 'watch every key there is')
    .option('--snapshot', 'print what there is first')
    .option('--glob <pattern>', 'only keys that match, such as "**/color"')
    .option('--start-revision <n>', 'begin with the changes of this revision', parseInt64)
    .option('--keys-only', 'leave the values out')
    .action((key: string | undefined, options: WatchOptions, command: Command) =>
      runCommand(runtime, command, (use) => watch(key, options, use)),
    );
}

function watch(key: string | undefined, options: WatchOptions, use: Use): Promise<number> {
  if ((key === undefined) !== (options.all === true)) throw usageError('name a key, or say --all');
  if (options.snapshot && options.startRevision !== undefined)
    throw usageError('--snapshot and --start-revision do not go together');
  const { gateway, output } = use;
  const { glob, keysOnly, startRevision, all } = options;
  const range = options.prefix ? { prefix: key ?? '' } : given({ key, all });
  const filter = given({ glob, keysOnly });
  const start = given({ includeSnapshot: options.snapshot, startRevision });
  return follow(
    {
      open: (resumeToken, { signal }) =>
        gateway.kv.watch(
          { ...range, ...filter, ...(resumeToken === undefined ? start : { resumeToken }) },
          { signal },
        ),
      tokenOf: ({ resumeToken }) => resumeToken,
    },
    (message) => printMessage(message, options, output),
    use,
  );
}

async function printMessage(
  { kind, kvs, events }: WatchResponse,
  { keysOnly }: WatchOptions,
  output: Output,
): Promise<void> {
  if (kind === WatchResponse_Kind.SNAPSHOT) {
    // What is there has no type: nothing happened to it.
    for (const kv of kvs) await printEvent(create(EventSchema, { kv }), keysOnly, output);
  }
  for (const event of events) await printEvent(event, keysOnly, output);
}

async function printEvent(event: Event, keysOnly: true | undefined, output: Output): Promise<void> {
  if (output.isJson) return output.element(EventSchema, event);
  const { type, kv } = event;
  if (kv === undefined) return;
  const word = (enumWord(Event_TypeSchema, type) || 'present').toUpperCase().padEnd(7);
  const rest = hasValue(type) && !keysOnly ? `  ${valueText(kv)}` : '';
  await output.line(`${output.paint(styleOf(type), word)}  ${keyText(kv)}${rest}`);
}

function hasValue(type: Event_Type): boolean {
  return type !== Event_Type.DELETED && type !== Event_Type.EXPIRED;
}

function styleOf(type: Event_Type): Style {
  switch (type) {
    case Event_Type.CREATED:
      return 'green';
    case Event_Type.UPDATED:
      return 'yellow';
    case Event_Type.DELETED:
    case Event_Type.EXPIRED:
      return 'red';
    default:
      return 'dim';
  }
}
