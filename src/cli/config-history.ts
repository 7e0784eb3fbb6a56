import { create } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { type ConfigVersion, ContentTypeSchema } from '../../gen/concord/config/v1/config_item_pb.ts';
import {
  DiffResponseSchema,
  HistoryResponseSchema,
  RollbackResponseSchema,
} from '../../gen/concord/config/v1/config_service_pb.ts';
import { enumWord, given, integerBetween, parseInt64 } from './arguments.ts';
import {
  type ChangeOptions,
  changeFields,
  itemText,
  printChange,
  withChange,
  withProfile,
} from './config-fields.ts';
import { usageError } from './failure.ts';
import { shownTime } from './output.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';
import type { Column } from './table.ts';
import { userName } from './user-name.ts';

const COLUMNS: readonly Column<ConfigVersion>[] = [
  { title: 'VERSION', text: ({ version }) => String(version), isNumber: true },
  { title: 'CHANGED', text: ({ updateTime }) => shownTime(updateTime), isWhole: true },
  { title: 'AUTHOR', text: ({ author, external }) => author || (external ? '(another etcd client)' : '') },
  { title: 'VALUE', text: (version) => (version.deleted ? '(deleted)' : itemText(version)) },
  { title: 'TYPE', text: ({ contentType }) => enumWord(ContentTypeSchema, contentType) },
  {
    title: 'COMMENT',
    text: ({ comment, rollbackOf }) =>
      rollbackOf > 0n ? [`(rollback to ${rollbackOf})`, comment].join(' ').trim() : comment,
  },
];

interface DiffOptions {
  readonly profile?: string;
  readonly from?: bigint;
  readonly to?: bigint;
  readonly fromProfile?: string;
  readonly toProfile?: string;
}

/** Adds `config history`, `diff` and `rollback`. */
export function addConfigHistoryCommands(config: Command, runtime: Runtime): void {
  withProfile(config.command('history'))
    .description('Lists the versions of an item, the newest first.')
    .argument('<app>', 'the application')
    .argument('<key>', 'the item')
    .option('--limit <n>', 'at most so many', integerBetween(1, 1_000), 100)
    .option('--reveal', 'show secrets; needs a --token that may')
    .action(
      (
        application: string,
        key: string,
        options: { limit: number; profile?: string; reveal?: true },
        command: Command,
      ) => runCommand(runtime, command, (use) => history({ application, key, ...options }, use)),
    );
  withProfile(config.command('diff'))
    .description(
      'Shows how two versions of an item differ, or without a key two revisions of the application, or two profiles of it.',
    )
    .usage(
      '<app> <key> --from <version> [--to <version>]\n       concord config diff <app> --from <revision> [--to <revision>]\n       concord config diff <app> --from-profile <name> --to-profile <name>',
    )
    .argument('<app>', 'the application')
    .argument('[key]', 'the item')
    .option('--from <n>', 'the version, or without a key the revision, to start from', parseInt64)
    .option('--to <n>', 'and the one to compare with; default: the newest', parseInt64)
    .option('--from-profile <name>', 'the profile to start from; default: default')
    .option('--to-profile <name>', 'and the one to compare with; default: default')
    .action((application: string, key: string | undefined, options: DiffOptions, command: Command) =>
      runCommand(runtime, command, (use) => diff(application, key, options, use)),
    );
  withChange(config.command('rollback'))
    .description('Writes the content of an old version as a new version.')
    .argument('<app>', 'the application')
    .argument('<key>', 'the item')
    .argument('<version>', 'the version, as "concord config history" lists it', parseInt64)
    .action((application: string, key: string, version: bigint, options: ChangeOptions, command: Command) =>
      runCommand(runtime, command, (use) => rollback({ application, key, version }, options, use)),
    );
}

async function history(
  {
    application,
    key,
    limit,
    profile,
    reveal,
  }: {
    readonly application: string;
    readonly key: string;
    readonly limit: number;
    readonly profile?: string;
    readonly reveal?: true;
  },
  { gateway, output, call }: Use,
): Promise<undefined> {
  const request = { application, key, pageSize: limit, ...given({ profile, revealSecrets: reveal }) };
  const whole = create(HistoryResponseSchema);
  let pageToken = '';
  do {
    const page = await gateway.config.history({ ...request, pageToken }, call());
    whole.revision = page.revision;
    whole.versions.push(...page.versions);
    pageToken = page.nextPageToken;
  } while (pageToken !== '' && whole.versions.length < limit);
  whole.versions.splice(limit);
  if (output.isJson) await output.message(HistoryResponseSchema, whole);
  else await output.table(COLUMNS, whole.versions);
  return undefined;
}

async function diff(
  application: string,
  key: string | undefined,
  options: DiffOptions,
  { gateway, output, call }: Use,
): Promise<undefined> {
  const answer = await gateway.config.diff({ application, what: whatToCompare(key, options) }, call());
  if (output.isJson) return void (await output.message(DiffResponseSchema, answer));
  for (const change of answer.changes) await printChange(change, output);
  if (answer.changes.length === 0) output.note('they are the same');
  if (answer.truncated) output.note('there are more differences than these');
  return undefined;
}

function whatToCompare(key: string | undefined, options: DiffOptions) {
  const { profile, from, to, fromProfile, toProfile } = options;
  if (fromProfile !== undefined || toProfile !== undefined) {
    if (key !== undefined || from !== undefined || to !== undefined || profile !== undefined)
      throw usageError('--from-profile and --to-profile compare whole profiles; leave the rest out');
    return { case: 'profiles', value: given({ fromProfile, toProfile }) } as const;
  }
  if (from === undefined) throw usageError('say what to compare: --from, or --from-profile and --to-profile');
  return key === undefined
    ? ({ case: 'revisions', value: { fromRevision: from, ...given({ toRevision: to, profile }) } } as const)
    : ({
        case: 'versions',
        value: { key, fromVersion: from, ...given({ toVersion: to, profile }) },
      } as const);
}

async function rollback(
  item: { readonly application: string; readonly key: string; readonly version: bigint },
  options: ChangeOptions,
  { gateway, output, call }: Use,
): Promise<undefined> {
  const answer = await gateway.config.rollback({ ...item, ...changeFields(options, userName()) }, call());
  if (output.isJson) return void (await output.message(RollbackResponseSchema, answer));
  await output.line(`revision ${answer.revision}, version ${answer.item?.version}`);
  return undefined;
}
