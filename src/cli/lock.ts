import { hostname } from 'node:os';
import { create } from '@bufbuild/protobuf';
import { type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import { type Command, Option } from 'commander';
import { type Lock, ModeSchema } from '../../gen/concord/lock/v1/lock_pb.ts';
import {
  HoldResponse_State,
  HoldResponseSchema,
  ListResponseSchema,
} from '../../gen/concord/lock/v1/lock_service_pb.ts';
import {
  argumentsBeforeDashes,
  enumWord,
  enumWords,
  given,
  integerBetween,
  parseTime,
  timeOption,
} from './arguments.ts';
import { usageError } from './failure.ts';
import { holdClaim, type Standing } from './hold-claim.ts';
import { shownTime } from './output.ts';
import { everyPage } from './pages.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';
import type { Column } from './table.ts';
import { userName } from './user-name.ts';

const MODES = enumWords(ModeSchema);

const COLUMNS: readonly Column<Lock>[] = [
  { title: 'LOCK', text: ({ name }) => name },
  { title: 'MODE', text: ({ holders }) => enumWord(ModeSchema, holders[0]?.mode ?? 0) },
  { title: 'TOKEN', text: ({ holders }) => holders.map(({ fencingToken }) => fencingToken).join(',') },
  { title: 'HELD BY', text: ({ holders }) => holders.map(({ owner }) => owner || '?').join(', ') },
  { title: 'SINCE', text: ({ holders }) => shownTime(holders[0]?.acquireTime), isWhole: true },
  { title: 'WAITING', text: ({ waiterCount }) => String(waiterCount), isNumber: true },
];

interface LockOptions {
  readonly ttl: Duration;
  readonly grace: Duration;
  readonly mode?: string;
  readonly permits?: number;
  readonly wait?: number;
  readonly owner?: string;
}

/** Adds `lock` and `locks`. */
export function addLockCommands(program: Command, runtime: Runtime): void {
  program
    .command('lock')
    .summary('hold a lock, and run a command under it')
    .usage('<name> [options] [-- command...]')
    .description(
      `Waits for a lock and runs the command while it is held; its exit code is the command's. Where the lock is lost, the command and what it started are ended (SIGTERM, then SIGKILL after 5 s), and the exit code is 4. Without a command the token is printed, and the lock held until Ctrl-C.`,
    )
    .argument('<name>', 'the lock')
    .argument(
      '[command...]',
      'what to run; it finds CONCORD_LOCK_NAME and CONCORD_FENCING_TOKEN in its environment',
    )
    .addOption(new Option('--mode <word>', 'how it is held; default: mutex').choices([...MODES.keys()]))
    .option('--permits <n>', 'with --mode semaphore: how many may hold it', integerBetween(1, 2_147_483_647))
    .option(
      '--wait <time>',
      'give up, with exit code 4, after waiting so long behind others; 0s: at once',
      parseTime,
    )
    .option('--owner <text>', 'what others see; default: user@host')
    .addOption(timeOption('--ttl <time>', 'how long it outlives a gateway that dies', '15s'))
    .addOption(timeOption('--grace <time>', 'how long it outlives a connection that breaks', '10s'))
    .action((name: string, words: string[], options: LockOptions, command: Command) =>
      runCommand(runtime, command, async (use) => {
        if (argumentsBeforeDashes(command) === 0) throw usageError('name the lock before --');
        return lock(name, words, options, use);
      }),
    );
  program
    .command('locks')
    .summary('list the locks that are held or waited for')
    .description('Lists the locks that are held or waited for, with who holds them.')
    .argument('[prefix]', 'only locks whose names begin with this', '')
    .action((prefix: string, _: object, command: Command) =>
      runCommand(runtime, command, (use) => locks(prefix, use)),
    );
}

function lock(name: string, words: readonly string[], options: LockOptions, use: Use): Promise<number> {
  const { gateway, output, call } = use;
  const { ttl, grace, wait: waitMs, permits } = options;
  const mode = options.mode === undefined ? undefined : MODES.get(options.mode);
  if ((options.mode === 'semaphore') !== (permits !== undefined))
    throw usageError('--permits goes with --mode semaphore, and only with it');
  const owner = options.owner ?? whoAmI();
  const kind = { name, ...given({ mode, permits }) };
  return holdClaim(
    {
      title: `lock ${JSON.stringify(name)}`,
      lostReason: 'LOCK_LOST',
      ttlMs: durationMs(ttl),
      open: (resumeToken, { signal }) =>
        gateway.locks.hold(
          resumeToken === undefined ? { ...kind, ttl, grace, owner } : { ...kind, resumeToken },
          { signal },
        ),
      tokenOf: ({ resumeToken }) => resumeToken,
      read: ({ state, position, expireTime }) => ({
        state: STANDINGS[state] ?? 'waiting',
        position,
        expireTime,
      }),
      onWaiting: ({ position }) => {
        if (position > 0) output.note(`waiting for lock ${JSON.stringify(name)}, ${position} before us`);
      },
      async onHeld(message) {
        if (words.length > 0) return;
        if (output.isJson) await output.element(HoldResponseSchema, message);
        else await output.line(String(message.fencingToken));
      },
      environment: ({ fencingToken }) => ({
        CONCORD_LOCK_NAME: name,
        CONCORD_FENCING_TOKEN: String(fencingToken),
      }),
      release: ({ fencingToken, leaseId }, { state }) =>
        state === 'held'
          ? gateway.locks.release({ name, fencingToken }, call())
          : gateway.leases.revoke({ leaseId }, call()),
    },
    { command: words, waitMs },
    use,
  );
}

async function locks(prefix: string, use: Use): Promise<undefined> {
  const { gateway, output } = use;
  const whole = create(ListResponseSchema);
  for await (const page of everyPage((pageToken) =>
    gateway.locks.list({ prefix, pageSize: 1_000, pageToken }, use.call()),
  )) {
    whole.revision = page.revision;
    whole.locks.push(...page.locks);
  }
  if (output.isJson) await output.message(ListResponseSchema, whole);
  else await output.table(COLUMNS, whole.locks);
  return undefined;
}

const STANDINGS: Readonly<Record<number, Standing['state']>> = {
  [HoldResponse_State.UNSPECIFIED]: 'waiting',
  [HoldResponse_State.QUEUED]: 'waiting',
  [HoldResponse_State.ACQUIRED]: 'held',
  [HoldResponse_State.LOST]: 'lost',
};

function whoAmI(): string {
  return `${userName()}@${hostname()}`;
}
