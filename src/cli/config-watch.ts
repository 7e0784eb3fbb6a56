import { create } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import {
  type ConfigChange,
  ConfigChange_Type,
  ConfigChange_TypeSchema,
  ConfigChangeSchema,
  type ConfigItem,
} from '../../gen/concord/config/v1/config_item_pb.ts';
import { type WatchResponse, WatchResponse_Kind } from '../../gen/concord/config/v1/config_service_pb.ts';
import { collectWord, enumWord, given } from './arguments.ts';
import { itemText } from './config-fields.ts';
import { follow } from './follow.ts';
import { type Output, type Style, shown } from './output.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';
import { userName } from './user-name.ts';

const STYLES: Readonly<Record<number, Style>> = {
  [ConfigChange_Type.UNSPECIFIED]: 'dim',
  [ConfigChange_Type.CREATED]: 'green',
  [ConfigChange_Type.UPDATED]: 'yellow',
  [ConfigChange_Type.DELETED]: 'red',
};

interface WatchOptions {
  readonly profile?: readonly string[];
  readonly effective?: true;
  readonly reveal?: true;
  readonly acknowledge?: true;
}

/** Adds `config watch`. */
export function addConfigWatchCommand(config: Command, runtime: Runtime): void {
  config
    .command('watch')
    .description(
      'Prints all items of an application, then every change, one a line, also when the gateway restarts. Ctrl-C ends it, with exit code 0.',
    )
    .argument('<app>', 'the application')
    .option('--profile <name>', 'of this profile too; again for a further one', collectWord)
    .option('--effective', 'what counts when the profiles lie over one another')
    .option('--reveal', 'show secrets; needs a --token that may')
    .option('--acknowledge', 'tell the gateway that what was printed is in use, for "config publish --wait"')
    .action((application: string, options: WatchOptions, command: Command) =>
      runCommand(runtime, command, (use) => watch(application, options, use)),
    );
}

function watch(application: string, options: WatchOptions, use: Use): Promise<number> {
  const { gateway, output, call } = use;
  const { profile: profiles = [], effective, reveal, acknowledge } = options;
  const request = {
    application,
    profiles: [...profiles],
    subscriber: userName(),
    ...given({ effective, revealSecrets: reveal }),
  };
  return follow<WatchResponse>(
    {
      open: (resumeToken, { signal }) =>
        gateway.config.watch({ ...request, ...given({ resumeToken }) }, { signal }),
      tokenOf: ({ resumeToken }) => resumeToken,
    },
    async (message) => {
      await printMessage(message, output);
      const { kind, subscriberId, revision: acknowledgedRevision } = message;
      if (acknowledge && isToAcknowledge(kind))
        await gateway.config.acknowledge({ application, subscriberId, acknowledgedRevision }, call());
    },
    use,
  );
}

function isToAcknowledge(kind: WatchResponse_Kind): boolean {
  return kind === WatchResponse_Kind.SYNCED || kind === WatchResponse_Kind.EVENTS;
}

async function printMessage({ kind, items, changes }: WatchResponse, output: Output): Promise<void> {
  if (kind === WatchResponse_Kind.RESYNC && !output.isJson)
    output.note('changes were compacted away; everything follows anew');
  for (const item of items) await printChange(create(ConfigChangeSchema, { item }), output);
  for (const change of changes) await printChange(change, output);
}

async function printChange(change: ConfigChange, output: Output): Promise<void> {
  if (output.isJson) return output.element(ConfigChangeSchema, change);
  const { type, item } = change;
  // What is there has no type: nothing happened to it.
  const word = (enumWord(ConfigChange_TypeSchema, type) || 'present').toUpperCase().padEnd(7);
  const value = type === ConfigChange_Type.DELETED || item === undefined ? '' : ` = ${itemText(item)}`;
  await output.line(`${output.paint(STYLES[type] ?? 'dim', word)}  ${nameOf(item)}${value}`);
}

function nameOf(item: ConfigItem | undefined): string {
  const profile = item?.profile === 'default' ? '' : `${item?.profile}: `;
  return shown(`${profile}${item?.key}`, new Uint8Array());
}
