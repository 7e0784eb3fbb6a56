import { create } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import {
  type Application,
  DeleteResponseSchema,
  GetResponseSchema,
  ListApplicationsResponseSchema,
  ListResponseSchema,
  PutResponseSchema,
  type ResolvedItem,
  ResolveResponseSchema,
} from '../../gen/concord/config/v1/config_service_pb.ts';
import { collectWord, given, readInput, valueFields } from './arguments.ts';
import {
  type ChangeOptions,
  CONTENT_TYPES,
  changeFields,
  ITEM_COLUMNS,
  itemText,
  withChange,
  withType,
} from './config-fields.ts';
import { CliError, EXIT, usageError } from './failure.ts';
import { everyPage } from './pages.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';
import type { Column } from './table.ts';
import { userName } from './user-name.ts';

const APPLICATION_COLUMNS: readonly Column<Application>[] = [
  { title: 'APPLICATION', text: ({ name }) => name },
  { title: 'ITEMS', text: ({ itemCount }) => String(itemCount), isNumber: true },
  { title: 'PROFILES', text: ({ profiles }) => profiles.join(', ') },
];

const RESOLVED_COLUMNS: readonly Column<ResolvedItem>[] = [
  { title: 'KEY', text: ({ item }) => item?.key ?? '' },
  { title: 'VALUE', text: ({ item }) => (item === undefined ? '' : itemText(item)) },
  { title: 'FROM', text: ({ item }) => item?.profile ?? '' },
  { title: 'HIDES', text: ({ hidden }) => hidden.map(({ profile }) => profile).join(', ') },
];

interface GetOptions {
  readonly profile?: readonly string[];
  readonly effective?: true;
  readonly reveal?: true;
  readonly newline: boolean;
}

interface SetOptions extends ChangeOptions {
  readonly type?: string;
  readonly secret?: boolean;
  readonly file?: string;
}

/** Adds `config apps`, `get`, `set` and `delete`. */
export function addConfigItemCommands(config: Command, runtime: Runtime): void {
  config
    .command('apps')
    .description('Lists the applications that have configuration.')
    .argument('[prefix]', 'only those whose names begin with this', '')
    .action((prefix: string, _: object, command: Command) =>
      runCommand(runtime, command, (use) => listApplications(prefix, use)),
    );
  config
    .command('get')
    .description(
      'Prints the value of one item, and a newline; without a key all items of the application as a table. An item that is not there: exit code 3.',
    )
    .argument('<app>', 'the application')
    .argument('[key]', 'the item')
    .option('--profile <name>', 'the profile; with --effective again for a further layer', collectWord)
    .option('--effective', 'what counts when the profiles lie over one another')
    .option('--reveal', 'show secrets; needs a --token that may')
    .option('-n, --no-newline', 'print the bytes of the value and nothing else')
    .action((application: string, key: string | undefined, options: GetOptions, command: Command) =>
      runCommand(runtime, command, (use) => getConfig(application, key, options, use)),
    );
  withType(withChange(config.command('set')))
    .description(
      'Writes one item as a new version. Without a value, or with "-", it is read from standard input.',
    )
    .argument('<app>', 'the application')
    .argument('<key>', 'the item')
    .argument('[value]', 'the value; "-" reads it from standard input', '-')
    .option('--file <path>', 'read the value from this file')
    .option('--secret', 'encrypt it at rest; default: as before, not for a new item')
    .option('--no-secret', 'do not encrypt it')
    .action((application: string, key: string, value: string, options: SetOptions, command: Command) =>
      runCommand(runtime, command, (use) => setItem(application, key, value, options, use)),
    );
  withChange(config.command('delete'))
    .description('Deletes one item; its history stays. One that is not there: exit code 3.')
    .argument('<app>', 'the application')
    .argument('<key>', 'the item')
    .action((application: string, key: string, options: ChangeOptions, command: Command) =>
      runCommand(runtime, command, (use) => deleteItem(application, key, options, use)),
    );
}

async function listApplications(prefix: string, { gateway, output, call }: Use): Promise<undefined> {
  const whole = create(ListApplicationsResponseSchema);
  for await (const page of everyPage((pageToken) =>
    gateway.config.listApplications({ prefix, pageSize: 1_000, pageToken }, call()),
  )) {
    whole.revision = page.revision;
    whole.applications.push(...page.applications);
  }
  if (output.isJson) await output.message(ListApplicationsResponseSchema, whole);
  else await output.table(APPLICATION_COLUMNS, whole.applications);
  return undefined;
}

async function getConfig(
  application: string,
  key: string | undefined,
  options: GetOptions,
  use: Use,
): Promise<undefined> {
  const { profile: profiles = [], effective, reveal } = options;
  if (effective) {
    if (key !== undefined) throw usageError('--effective shows all keys; leave the key out');
    return resolve(application, profiles, reveal, use);
  }
  if (profiles.length > 1) throw usageError('several profiles need --effective');
  const [profile] = profiles;
  return key === undefined
    ? listItems(application, profile, reveal, use)
    : getItem({ application, key, ...given({ profile, revealSecrets: reveal }) }, options.newline, use);
}

async function getItem(
  request: { readonly application: string; readonly key: string },
  hasNewline: boolean,
  { gateway, output, call }: Use,
): Promise<undefined> {
  const answer = await gateway.config.get(request, call());
  if (output.isJson) return void (await output.message(GetResponseSchema, answer));
  const { item } = answer;
  if (item?.redacted) {
    const message = `${item.key} is secret; --reveal shows it to those who may see it`;
    throw new CliError({ code: 'permission_denied', message, exitCode: EXIT.permission });
  }
  const bytes = item?.valueBytes.length ? item.valueBytes : Buffer.from(item?.value ?? '');
  await output.bytes(hasNewline ? Buffer.concat([bytes, Buffer.from('\n')]) : bytes);
  return undefined;
}

async function listItems(
  application: string,
  profile: string | undefined,
  reveal: true | undefined,
  { gateway, output, call }: Use,
): Promise<undefined> {
  const whole = create(ListResponseSchema);
  const request = { application, pageSize: 1_000, ...given({ profile, revealSecrets: reveal }) };
  for await (const page of everyPage((pageToken) => gateway.config.list({ ...request, pageToken }, call()))) {
    Object.assign(whole, { revision: page.revision, totalSize: page.totalSize });
    whole.items.push(...page.items);
  }
  if (output.isJson) await output.message(ListResponseSchema, whole);
  else await output.table(ITEM_COLUMNS, whole.items);
  return undefined;
}

async function resolve(
  application: string,
  profiles: readonly string[],
  reveal: true | undefined,
  { gateway, output, call }: Use,
): Promise<undefined> {
  const request = { application, profiles: [...profiles], ...given({ revealSecrets: reveal }) };
  const answer = await gateway.config.resolve(request, call());
  if (output.isJson) await output.message(ResolveResponseSchema, answer);
  else await output.table(RESOLVED_COLUMNS, answer.items);
  return undefined;
}

async function setItem(
  application: string,
  key: string,
  text: string,
  options: SetOptions,
  { gateway, output, call }: Use,
): Promise<undefined> {
  const { type, secret, file } = options;
  if (file !== undefined && text !== '-') throw usageError('give a value or --file, not both');
  const content = file !== undefined || text === '-' ? valueFields(readInput(file ?? '-')) : { value: text };
  const contentType = type === undefined ? undefined : CONTENT_TYPES.get(type);
  const answer = await gateway.config.put(
    { application, key, ...content, ...changeFields(options, userName()), ...given({ contentType, secret }) },
    call(),
  );
  if (output.isJson) return void (await output.message(PutResponseSchema, answer));
  await output.line(`revision ${answer.revision}, version ${answer.item?.version}`);
  return undefined;
}

async function deleteItem(
  application: string,
  key: string,
  options: ChangeOptions,
  { gateway, output, call }: Use,
): Promise<number> {
  const answer = await gateway.config.delete(
    { application, key, ...changeFields(options, userName()) },
    call(),
  );
  if (output.isJson) await output.message(DeleteResponseSchema, answer);
  else await output.line(`deleted ${answer.deleted ? 1 : 0}`);
  return answer.deleted ? EXIT.ok : EXIT.notFound;
}
