import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import type { Command } from 'commander';
import type { Lease } from '../../gen/concord/lease/v1/lease_pb.ts';
import {
  GetResponseSchema,
  GrantResponseSchema,
  HoldResponseSchema,
  ListResponseSchema,
  RenewResponseSchema,
  RevokeResponseSchema,
} from '../../gen/concord/lease/v1/lease_service_pb.ts';
import { argumentsBeforeDashes, given, parseDuration, parseInt64 } from './arguments.ts';
import { usageError } from './failure.ts';
import { holdClaim } from './hold-claim.ts';
import { type Output, shown, shownTime } from './output.ts';
import { everyPage } from './pages.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';
import type { Column } from './table.ts';

const COLUMNS: readonly Column<Omit<Lease, '$typeName'>>[] = [
  { title: 'LEASE', text: ({ leaseId }) => String(leaseId) },
  { title: 'TTL', text: ({ grantedTtl }) => seconds(grantedTtl), isNumber: true },
  { title: 'REMAINING', text: ({ remainingTtl }) => seconds(remainingTtl), isNumber: true },
  { title: 'KEPT BY', text: keeperOf },
];
/** What is taken to be the time of a lease that was granted elsewhere. */
const LONGEST_TTL_MS = 86_400_000;

interface HoldOptions {
  readonly ttl?: Duration;
  readonly grace?: Duration;
}

/** Adds `lease` with its commands. */
export function addLeaseCommands(program: Command, runtime: Runtime): void {
  const lease = program
    .command('lease')
    .summary('grant, renew, revoke, show, list and hold leases')
    .description('Leases: what is attached to one goes away when it ends.');
  const withId = (
    name: string,
    description: string,
    body: (leaseId: bigint, use: Use) => Promise<undefined>,
  ) =>
    lease
      .command(name)
      .description(description)
      .argument('<id>', 'the lease', parseInt64)
      .action((leaseId: bigint, _: object, command: Command) =>
        runCommand(runtime, command, (use) => body(leaseId, use)),
      );
  lease
    .command('grant')
    .description('Grants a lease and prints its id.')
    .argument('<ttl>', 'how long it lives without being renewed, such as 30s', parseDuration)
    .option('--auto-renew', 'have the gateways renew it until it is revoked')
    .action((ttl: Duration, { autoRenew }: { readonly autoRenew?: true }, command: Command) =>
      runCommand(runtime, command, (use) => grant(ttl, autoRenew, use)),
    );
  withId('renew', 'Renews a lease once.', async (leaseId, use) => {
    const answer = await use.gateway.leases.renew({ leaseId }, use.call());
    await print(RenewResponseSchema, answer, `expires ${shownTime(answer.expireTime)}`, use.output);
    return undefined;
  });
  withId('revoke', 'Ends a lease; its keys are deleted.', async (leaseId, use) => {
    const answer = await use.gateway.leases.revoke({ leaseId }, use.call());
    await print(RevokeResponseSchema, answer, `revoked at revision ${answer.revision}`, use.output);
    return undefined;
  });
  withId('get', 'Shows a lease and its keys.', getLease);
  lease
    .command('ls')
    .description('Lists all leases.')
    .action((_: object, command: Command) => runCommand(runtime, command, listLeases));
  lease
    .command('hold')
    .usage('[id] [options] [-- command...]')
    .description(
      'Keeps a lease alive, one that there is or one that is granted now, until Ctrl-C or for as long as a command runs; then it is revoked.',
    )
    .argument('[id]', 'the lease; default: a new one')
    .argument('[command...]', 'what to run; it finds CONCORD_LEASE_ID in its environment')
    .option(
      '--ttl <time>',
      'of a new lease: how long it outlives a gateway that dies; default 15s',
      parseDuration,
    )
    .option('--grace <time>', 'how long it outlives a connection that breaks; default 10s', parseDuration)
    .action((id: string | undefined, words: string[], options: HoldOptions, command: Command) =>
      runCommand(runtime, command, (use) =>
        hold(id, words, options, argumentsBeforeDashes(command) === 0, use),
      ),
    );
}

async function grant(
  ttl: Duration,
  autoRenew: true | undefined,
  { gateway, output, call }: Use,
): Promise<undefined> {
  const answer = await gateway.leases.grant({ ttl, ...given({ autoRenew }) }, call());
  await print(GrantResponseSchema, answer, String(answer.leaseId), output);
  return undefined;
}

async function getLease(leaseId: bigint, { gateway, output, call }: Use): Promise<undefined> {
  const answer = await gateway.leases.get({ leaseId }, call());
  if (output.isJson) return void (await output.message(GetResponseSchema, answer));
  await output.table(COLUMNS, [answer]);
  for (const key of answer.keys) await output.line(`  ${shown(key, new Uint8Array())}`);
  for (const key of answer.keysBytes) await output.line(`  ${shown('', key)}`);
  return undefined;
}

async function listLeases({ gateway, output, call }: Use): Promise<undefined> {
  const whole = create(ListResponseSchema);
  for await (const page of everyPage((pageToken) =>
    gateway.leases.list({ pageSize: 1_000, pageToken }, call()),
  )) {
    Object.assign(whole, { revision: page.revision, totalSize: page.totalSize });
    whole.leases.push(...page.leases);
  }
  if (output.isJson) await output.message(ListResponseSchema, whole);
  else await output.table(COLUMNS, whole.leases);
  return undefined;
}

function hold(
  id: string | undefined,
  words: readonly string[],
  { ttl, grace = parseDuration('10s') }: HoldOptions,
  isCommandAlone: boolean,
  use: Use,
): Promise<number> {
  const { gateway, output, call } = use;
  // `lease hold -- command` names no lease: the first word is the command's.
  const command = isCommandAlone && id !== undefined ? [id, ...words] : words;
  const leaseId = isCommandAlone || id === undefined ? undefined : parseLease(id);
  if (leaseId !== undefined && ttl !== undefined)
    throw usageError('--ttl is for a new lease; this one has its own');
  const newTtl = ttl ?? parseDuration('15s');
  return holdClaim(
    {
      title: 'lease',
      lostReason: 'LEASE_NOT_FOUND',
      ttlMs: leaseId === undefined ? durationMs(newTtl) : LONGEST_TTL_MS,
      open: (resumeToken, { signal }) =>
        gateway.leases.hold(
          resumeToken !== undefined
            ? { resumeToken }
            : { grace, ...(leaseId === undefined ? { ttl: newTtl } : { leaseId }) },
          { signal },
        ),
      tokenOf: ({ resumeToken }) => resumeToken,
      read: ({ expireTime }) => ({ state: 'held', position: 0, expireTime }),
      onWaiting: () => {},
      async onHeld(message) {
        if (command.length > 0) return;
        await print(HoldResponseSchema, message, String(message.leaseId), output);
      },
      environment: (message) => ({ CONCORD_LEASE_ID: String(message.leaseId) }),
      release: (message) => gateway.leases.revoke({ leaseId: message.leaseId }, call()),
    },
    { command },
    use,
  );
}

function parseLease(id: string): bigint {
  try {
    return parseInt64(id);
  } catch {
    throw usageError(`${JSON.stringify(id)} is no lease; a command stands after --`);
  }
}

async function print<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  text: string,
  output: Output,
): Promise<void> {
  if (output.isJson) await output.message(schema, message);
  else await output.line(text);
}

function keeperOf({ held, autoRenewed }: Pick<Lease, 'held' | 'autoRenewed'>): string {
  if (autoRenewed) return 'the gateways';
  return held ? 'an open call' : 'its caller';
}

function seconds(ttl: Duration | undefined): string {
  return ttl === undefined ? '' : `${Math.max(0, Math.ceil(durationMs(ttl) / 1_000))}s`;
}
