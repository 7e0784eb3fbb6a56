// What could stand where a shell asks for completions.
// Commands, flags and words come from the parser; names come from the gateway, or not at all where it does not answer in time.

import type { CallOptions } from '@connectrpc/connect';
import type { Argument, Command, Option } from 'commander';
import { DEFAULT_SERVER, type Gateway, openGateway } from './gateway.ts';
import type { Runtime } from './runtime.ts';

/** What a place of a command line names. */
type NameKind = 'key' | 'service' | 'lock' | 'application' | 'item' | 'lease';

/** What the arguments of commands name, in order. */
const NAMES: Readonly<Record<string, readonly NameKind[]>> = {
  get: ['key'],
  put: ['key'],
  del: ['key'],
  ls: ['key'],
  watch: ['key'],
  discover: ['service'],
  pick: ['service'],
  register: ['service'],
  services: ['service'],
  lock: ['lock'],
  locks: ['lock'],
  'lease renew': ['lease'],
  'lease revoke': ['lease'],
  'lease get': ['lease'],
  'lease hold': ['lease'],
  'config apps': ['application'],
  'config publish': ['application'],
  'config export': ['application'],
  'config import': ['application'],
  'config watch': ['application'],
  'config get': ['application', 'item'],
  'config set': ['application', 'item'],
  'config delete': ['application', 'item'],
  'config history': ['application', 'item'],
  'config diff': ['application', 'item'],
  'config rollback': ['application', 'item'],
};

const MOST = 200;

/** A command line up to the word that is completed. */
interface Place {
  readonly command: Command;
  readonly args: readonly string[];
  /** The option whose value is completed. */
  readonly option: Option | undefined;
  /** The values of the options so far. */
  readonly values: ReadonlyMap<string, string>;
  /** Whether it stands after `--`. */
  readonly isForeign: boolean;
}

/** Returns what the last of `words` could be completed to; the words are those after `concord`. */
export async function complete(
  program: Command,
  words: readonly string[],
  env: Runtime['env'],
  call: CallOptions,
): Promise<readonly string[]> {
  const last = words.at(-1) ?? '';
  const place = findPlace(program, words.slice(0, -1));
  const begins = (word: string): boolean => word.startsWith(last);
  if (place.isForeign) return [];
  if (place.option !== undefined) return (place.option.argChoices ?? []).filter(begins);
  if (last.startsWith('-')) return (await flagsOf(place.command)).filter(begins);
  if (place.command.commands.length > 0) return subcommandsOf(place.command).filter(begins);
  const argument = argumentAt(place);
  if (argument?.argChoices !== undefined) return argument.argChoices.filter(begins);
  const kind = NAMES[pathOf(place.command)]?.[place.args.length];
  if (kind === undefined) return [];
  try {
    const server = place.values.get('server') ?? (env['CONCORD_SERVER'] || DEFAULT_SERVER);
    const gateway = openGateway(server, place.values.get('token') ?? env['CONCORD_TOKEN']);
    return await namesOf(kind, last, place, gateway, call);
  } catch {
    // Whoever presses Tab wants no error: there is nothing to offer.
    return [];
  }
}

function findPlace(program: Command, words: readonly string[]): Place {
  let command = program;
  let option: Option | undefined;
  const args: string[] = [];
  const values = new Map<string, string>();
  for (const word of words) {
    if (option !== undefined) {
      values.set(option.attributeName(), word);
      option = undefined;
    } else if (word === '--') {
      return { command, args, option, values, isForeign: true };
    } else if (word.startsWith('-')) {
      const [flag, value] = word.split(/=(.*)/s);
      const found = optionsOf(command).find((each) => each.long === flag || each.short === flag);
      if (found !== undefined && value !== undefined) values.set(found.attributeName(), value);
      else if (found?.required) option = found;
    } else {
      const sub = args.length === 0 ? command.commands.find((each) => each.name() === word) : undefined;
      if (sub === undefined) args.push(word);
      else command = sub;
    }
  }
  return { command, args, option, values, isForeign: false };
}

/** The options of a command and of those above it. */
function optionsOf(command: Command): readonly Option[] {
  const own = command.options.filter(({ hidden }) => !hidden);
  return command.parent === null ? own : [...own, ...optionsOf(command.parent)];
}

async function flagsOf(command: Command): Promise<readonly string[]> {
  if (['serve', 'dev'].includes(pathOf(command))) {
    const { DEFINITIONS, flagName } = await import('../settings/definitions.ts');
    return [...Object.values(DEFINITIONS).map((each) => `--${flagName(each)}`), '--help', '--version'];
  }
  return [...optionsOf(command).flatMap(({ long }) => long ?? []), '--help'];
}

function subcommandsOf(command: Command): readonly string[] {
  return [...command.createHelp().visibleCommands(command)].map((each) => each.name());
}

function argumentAt({ command, args }: Place): Argument | undefined {
  return command.registeredArguments[args.length];
}

function pathOf(command: Command): string {
  const { parent } = command;
  return parent === null || parent.parent === null ? command.name() : `${pathOf(parent)} ${command.name()}`;
}

async function namesOf(
  kind: NameKind,
  prefix: string,
  { args }: Place,
  gateway: Gateway,
  call: CallOptions,
): Promise<readonly string[]> {
  const pageSize = MOST;
  const begins = (name: string): boolean => name.startsWith(prefix);
  switch (kind) {
    case 'key':
      return keysOf(prefix, gateway, call);
    case 'service': {
      const { services } = await gateway.discovery.listServices({ prefix, pageSize }, call);
      return services.map(({ name }) => name);
    }
    case 'lock': {
      const { locks } = await gateway.locks.list({ prefix, pageSize }, call);
      return locks.map(({ name }) => name);
    }
    case 'application': {
      const { applications } = await gateway.config.listApplications({ prefix, pageSize }, call);
      return applications.map(({ name }) => name);
    }
    case 'item': {
      const [application = ''] = args;
      const { items } = await gateway.config.list({ application, prefix, pageSize }, call);
      return items.map(({ key }) => key);
    }
    case 'lease': {
      const { leases } = await gateway.leases.list({ pageSize }, call);
      return leases.map(({ leaseId }) => String(leaseId)).filter(begins);
    }
  }
}

/** One level at a time, as paths are completed. */
async function keysOf(prefix: string, { kv }: Gateway, call: CallOptions): Promise<readonly string[]> {
  const slash = prefix.lastIndexOf('/');
  const parent = prefix.slice(0, slash + 1);
  const { children } = await kv.listChildren({ parent, pageSize: MOST }, call);
  return children
    .flatMap(({ name, isKey, hasChildren }) => [
      ...(isKey ? [parent + name] : []),
      ...(hasChildren ? [`${parent}${name}/`] : []),
    ])
    .filter((key) => key.startsWith(prefix));
}
