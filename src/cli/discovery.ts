import { create } from '@bufbuild/protobuf';
import { type Command, Option } from 'commander';
import {
  DiscoverResponseSchema,
  ListServicesResponseSchema,
  PickResponseSchema,
  type Service,
  StrategySchema,
} from '../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { type Instance, Status, StatusSchema } from '../../gen/concord/discovery/v1/instance_pb.ts';
import { collectWord, enumWord, enumWords, given } from './arguments.ts';
import { EXIT } from './failure.ts';
import type { Output } from './output.ts';
import { everyPage } from './pages.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';
import type { Column } from './table.ts';

const STATUSES = enumWords(StatusSchema);
const STRATEGIES = enumWords(StrategySchema);

const INSTANCE_COLUMNS: readonly Column<Instance>[] = [
  { title: 'ID', text: ({ instanceId }) => instanceId },
  { title: 'ADDRESS', text: addressOf },
  { title: 'STATUS', text: ({ status }) => enumWord(StatusSchema, status) },
  { title: 'ZONE', text: ({ zone }) => zone },
  { title: 'VERSION', text: ({ version }) => version },
  { title: 'TAGS', text: ({ tags }) => tags.join(',') },
  {
    title: 'METADATA',
    text: ({ metadata }) =>
      Object.entries(metadata)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
  },
];

const SERVICE_COLUMNS: readonly Column<Service>[] = [
  { title: 'SERVICE', text: ({ name }) => name },
  { title: 'INSTANCES', text: ({ instanceCount }) => String(instanceCount), isNumber: true },
  { title: 'UP', text: ({ upCount }) => String(upCount), isNumber: true },
];

interface FilterOptions {
  readonly status?: readonly string[];
  readonly zone?: readonly string[];
  readonly tag?: readonly string[];
  readonly instanceVersion?: string;
  readonly where?: string;
}

interface PickOptions extends FilterOptions {
  readonly strategy?: string;
  readonly hashKey?: string;
  readonly nearZone?: string;
}

/** Adds `discover`, `pick` and `services`. */
export function addDiscoveryCommands(program: Command, runtime: Runtime): void {
  withFilter(program.command('discover'))
    .summary('list the instances of a service')
    .description('Lists the instances of a service, of every status unless filtered. None: exit code 3.')
    .argument('<service>', 'the service')
    .action((service: string, options: FilterOptions, command: Command) =>
      runCommand(runtime, command, (use) => discover(service, options, use)),
    );
  withFilter(program.command('pick'))
    .summary('print the address of one instance that is up')
    .description('Prints host:port of one instance that is up. None: exit code 3.')
    .argument('<service>', 'the service')
    .addOption(new Option('--strategy <word>', 'how to choose').choices([...STRATEGIES.keys()]))
    .option('--hash-key <text>', 'with --strategy hash: the same key gives the same instance')
    .option('--near-zone <zone>', 'with --strategy zone-first: the zone to prefer')
    .action((service: string, options: PickOptions, command: Command) =>
      runCommand(runtime, command, (use) => pick(service, options, use)),
    );
  program
    .command('services')
    .summary('list the services that have instances')
    .description('Lists the services that have instances.')
    .argument('[prefix]', 'only services whose names begin with this', '')
    .action((prefix: string, _: object, command: Command) =>
      runCommand(runtime, command, (use) => services(prefix, use)),
    );
}

/** `host:port`, as URLs have it. */
export function addressOf({ host, port }: Pick<Instance, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function withFilter(command: Command): Command {
  const status = new Option('--status <word>', 'only of this status; again for a further one');
  // commander's own check of choices does not collect.
  status.choices([...STATUSES.keys()]);
  const check = status.parseArg;
  status.argParser((text: string, before: readonly string[] | undefined) => {
    check?.(text, undefined as never);
    return collectWord(text, before);
  });
  return command
    .addOption(status)
    .option('--zone <zone>', 'only in this zone; again for a further one', collectWord)
    .option('--tag <tag>', 'only with this tag; again: and with that', collectWord)
    .option('--instance-version <version>', 'only of this version')
    .option('--where <expression>', `only where this CEL expression is true: 'metadata.region == "eu"'`);
}

function filterOf({ status, zone, tag, instanceVersion, where }: FilterOptions) {
  return given({
    statuses: status?.map((word) => STATUSES.get(word) ?? Status.UNSPECIFIED),
    zones: zone === undefined ? undefined : [...zone],
    tags: tag === undefined ? undefined : [...tag],
    version: instanceVersion,
    expression: where,
  });
}

async function discover(service: string, options: FilterOptions, use: Use): Promise<number> {
  const { gateway, output } = use;
  const answer = await gateway.discovery.discover({ service, filter: filterOf(options) }, use.call());
  if (output.isJson) await output.message(DiscoverResponseSchema, answer);
  else {
    if (answer.stale) output.note(`these are from before, and may be gone: ${answer.staleReason}`);
    for (const { key, reason } of answer.invalidEntries) output.note(`${key} is no instance: ${reason}`);
    if (answer.instances.length > 0) await output.table(coloured(output), answer.instances);
    else output.note(`there is no instance of ${JSON.stringify(service)}`);
  }
  return answer.instances.length > 0 ? EXIT.ok : EXIT.notFound;
}

/** The columns of instances; a status that takes no work stands out. */
function coloured(output: Output): readonly Column<Instance>[] {
  return INSTANCE_COLUMNS.map((column) =>
    column.title === 'STATUS'
      ? {
          ...column,
          paint: (text: string) => output.paint(text.trim() === 'up' ? 'green' : 'yellow', text),
        }
      : column,
  );
}

async function pick(service: string, options: PickOptions, use: Use): Promise<undefined> {
  const { gateway, output } = use;
  const { hashKey, nearZone: zone } = options;
  const strategy = options.strategy === undefined ? undefined : STRATEGIES.get(options.strategy);
  const answer = await gateway.discovery.pick(
    { service, filter: filterOf(options), ...given({ strategy, hashKey, zone }) },
    use.call(),
  );
  if (output.isJson) await output.message(PickResponseSchema, answer);
  else if (answer.instance !== undefined) await output.line(addressOf(answer.instance));
  return undefined;
}

async function services(prefix: string, use: Use): Promise<undefined> {
  const { gateway, output } = use;
  const whole = create(ListServicesResponseSchema);
  for await (const page of everyPage((pageToken) =>
    gateway.discovery.listServices({ prefix, pageSize: 1_000, pageToken }, use.call()),
  )) {
    whole.revision = page.revision;
    whole.services.push(...page.services);
  }
  if (output.isJson) await output.message(ListServicesResponseSchema, whole);
  else await output.table(SERVICE_COLUMNS, whole.services);
  return undefined;
}
