import { type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import type { Command } from 'commander';
import {
  CampaignResponse_State,
  CampaignResponseSchema,
  type ObserveResponse,
  ObserveResponse_Kind,
  ObserveResponseSchema,
  ResignResponseSchema,
} from '../../gen/concord/election/v1/election_service_pb.ts';
import { argumentsBeforeDashes, parseInt64, timeOption } from './arguments.ts';
import { usageError } from './failure.ts';
import { follow } from './follow.ts';
import { holdClaim, type Standing } from './hold-claim.ts';
import { type Output, shown, shownTime } from './output.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';

interface ElectOptions {
  readonly observe?: true;
  readonly resign?: true;
  readonly termToken?: bigint;
  readonly ttl: Duration;
  readonly grace: Duration;
}

/** Adds `elect`. */
export function addElectCommand(program: Command, runtime: Runtime): void {
  program
    .command('elect')
    .summary('stand for election, and run a command while leading')
    .usage(
      '<name> <value> [options] [-- command...]\n       concord elect --observe <name>\n       concord elect --resign <name>',
    )
    .description(
      `Stands for election and runs the command while it leads; its exit code is the command's. Where the leadership is lost, the command and what it started are ended (SIGTERM, then SIGKILL after 5 s), and the exit code is 4. Without a command the term token is printed, and it leads until Ctrl-C.`,
    )
    .argument('<name>', 'the election')
    .argument('[value]', 'what the candidate says of itself, such as its address')
    .argument(
      '[command...]',
      'what to run; it finds CONCORD_ELECTION_NAME and CONCORD_FENCING_TOKEN in its environment',
    )
    .option('--observe', 'print who leads, now and at every change')
    .option('--resign', 'have the leader step down')
    .option('--term-token <n>', 'with --resign: only the leader of this term', parseInt64)
    .addOption(timeOption('--ttl <time>', 'how long it outlives a gateway that dies', '15s'))
    .addOption(timeOption('--grace <time>', 'how long it outlives a connection that breaks', '10s'))
    .action(
      (name: string, value: string | undefined, words: string[], options: ElectOptions, command: Command) =>
        runCommand(runtime, command, async (use) => {
          if (argumentsBeforeDashes(command) < Math.min(2, command.args.length))
            throw usageError('name the election and a value before --');
          return elect(name, value, words, options, use);
        }),
    );
}

async function elect(
  name: string,
  value: string | undefined,
  words: readonly string[],
  options: ElectOptions,
  use: Use,
): Promise<number | undefined> {
  const { observe, resign } = options;
  if (observe && resign) throw usageError('--observe and --resign do not go together');
  if ((observe || resign) && value !== undefined)
    throw usageError('--observe and --resign take a name alone');
  if (observe) return observeElection(name, use);
  if (resign) return resignElection(name, options, use);
  if (value === undefined)
    throw usageError('say what the candidate says of itself, or --observe or --resign');
  return campaign(name, value, words, options, use);
}

function campaign(
  name: string,
  value: string,
  words: readonly string[],
  { ttl, grace }: ElectOptions,
  use: Use,
): Promise<number> {
  const { gateway, output, call } = use;
  return holdClaim(
    {
      title: `leadership of ${JSON.stringify(name)}`,
      lostReason: 'LEADERSHIP_LOST',
      ttlMs: durationMs(ttl),
      open: (resumeToken, { signal }) =>
        gateway.elections.campaign(
          resumeToken === undefined ? { name, value, ttl, grace } : { name, resumeToken },
          { signal },
        ),
      tokenOf: ({ resumeToken }) => resumeToken,
      read: ({ state, position, expireTime }) => ({
        state: STANDINGS[state] ?? 'waiting',
        position,
        expireTime,
      }),
      onWaiting: ({ position }) =>
        output.note(`waiting to lead ${JSON.stringify(name)}, place ${position + 1}`),
      async onHeld(message) {
        if (words.length > 0) return;
        if (output.isJson) await output.element(CampaignResponseSchema, message);
        else await output.line(String(message.termToken));
      },
      environment: ({ termToken }) => ({
        CONCORD_ELECTION_NAME: name,
        CONCORD_FENCING_TOKEN: String(termToken),
      }),
      release: ({ termToken, leaseId }, { state }) =>
        state === 'held'
          ? gateway.elections.resign({ name, termToken }, call())
          : gateway.leases.revoke({ leaseId }, call()),
    },
    { command: words },
    use,
  );
}

function observeElection(name: string, use: Use): Promise<number> {
  const { gateway, output } = use;
  let shownLast = '';
  return follow<ObserveResponse>(
    {
      open: (_, { signal }) => gateway.elections.observe({ name }, { signal }),
      tokenOf: () => undefined,
    },
    async (message) => {
      // After a break the state is told anew: it is a line only where it is another.
      const { kind, leader } = message;
      const state = kind === ObserveResponse_Kind.LEADER ? `${leader?.termToken} ${leader?.value}` : 'vacant';
      if (kind === ObserveResponse_Kind.CHECKPOINT || state === shownLast) return;
      shownLast = state;
      await printLeader(message, output);
    },
    use,
  );
}

async function printLeader(message: ObserveResponse, output: Output): Promise<void> {
  const { leader } = message;
  if (output.isJson) return output.element(ObserveResponseSchema, message);
  if (leader === undefined) return output.line(output.paint('yellow', 'VACANT'));
  const text = shown(leader.value, new Uint8Array());
  await output.line(
    `${output.paint('green', 'LEADER')}  ${text}  term ${leader.termToken}  since ${shownTime(leader.leadTime)}`,
  );
}

async function resignElection(name: string, options: ElectOptions, use: Use): Promise<undefined> {
  const { gateway, output, call } = use;
  const termToken =
    options.termToken ?? (await gateway.elections.leader({ name }, call())).leader?.termToken ?? 0n;
  const answer = await gateway.elections.resign({ name, termToken }, call());
  if (output.isJson) await output.message(ResignResponseSchema, answer);
  else await output.line(`term ${termToken} ended at revision ${answer.revision}`);
  return undefined;
}

const STANDINGS: Readonly<Record<number, Standing['state']>> = {
  [CampaignResponse_State.UNSPECIFIED]: 'waiting',
  [CampaignResponse_State.CANDIDATE]: 'waiting',
  [CampaignResponse_State.LEADER]: 'held',
  [CampaignResponse_State.LOST]: 'lost',
};
