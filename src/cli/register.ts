import { setTimeout as delay } from 'node:timers/promises';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import { type Command, Option } from 'commander';
import {
  type AttachResponse,
  AttachResponseSchema,
} from '../../gen/concord/discovery/v1/discovery_service_pb.ts';
import {
  type Instance,
  type InstanceSchema,
  StatusSchema,
} from '../../gen/concord/discovery/v1/instance_pb.ts';
import {
  argumentsBeforeDashes,
  collectPair,
  collectWord,
  enumWords,
  given,
  integerBetween,
  timeOption,
} from './arguments.ts';
import { addressOf } from './discovery.ts';
import { describeFailure, EXIT, reasonOf, usageError } from './failure.ts';
import { signalExitCode, takeInterrupts } from './interrupts.ts';
import { doesPass, resume } from './resume.ts';
import { startChild } from './run-child.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';
import { tellBreaks } from './tell-breaks.ts';

const STATUSES = enumWords(StatusSchema);
const REGISTER_AGAIN_MS = 1_000;

interface RegisterOptions {
  readonly host: string;
  readonly port: number;
  readonly id?: string;
  readonly ttl: Duration;
  readonly grace: Duration;
  readonly meta?: ReadonlyMap<string, string>;
  readonly tag?: readonly string[];
  readonly zone?: string;
  readonly instanceVersion?: string;
  readonly weight?: number;
  readonly status?: string;
}

/** Adds `register`. */
export function addRegisterCommand(program: Command, runtime: Runtime): void {
  program
    .command('register')
    .summary('register an instance for as long as a command runs')
    .usage('<service> --host <host> --port <port> [options] [-- command...]')
    .description(
      'Registers an instance, then runs the command; the instance is gone when the command ends. Without a command it stays until Ctrl-C. It stays registered when the gateway restarts.',
    )
    .argument('<service>', 'the service')
    .argument(
      '[command...]',
      'what to run; it finds CONCORD_SERVICE and CONCORD_INSTANCE_ID in its environment',
    )
    .requiredOption('--host <host>', 'where it is reached: a name or an address')
    .requiredOption('--port <port>', 'and the port', integerBetween(1, 65_535))
    .option('--id <id>', 'tells it apart from others; default: one is made')
    .addOption(timeOption('--ttl <time>', 'how long it outlives a gateway that dies', '15s'))
    .addOption(timeOption('--grace <time>', 'how long it outlives a connection that breaks', '10s'))
    .option('--meta <key=value>', 'whatever others should know; again for more', collectPair)
    .option('--tag <tag>', 'a word to filter by; again for more', collectWord)
    .option('--zone <zone>', 'where it runs')
    .option('--instance-version <version>', 'of what it runs')
    .option('--weight <n>', 'its share of the work, 0 to 10000', integerBetween(0, 10_000))
    .addOption(new Option('--status <word>', 'whether it takes work').choices([...STATUSES.keys()]))
    .action((service: string, words: string[], options: RegisterOptions, command: Command) =>
      runCommand(runtime, command, async (use) => {
        if (argumentsBeforeDashes(command) === 0) throw usageError('name the service before --');
        return register(service, words, options, use);
      }),
    );
}

async function register(
  service: string,
  words: readonly string[],
  options: RegisterOptions,
  use: Use,
): Promise<number> {
  const { output, env } = use;
  using interrupts = takeInterrupts();
  await using attachment = attach(instanceOf(service, options), options, use);
  const before = await Promise.race([attachment.registered, attachment.ended, interrupts.first]);
  if (typeof before === 'string') return words.length === 0 ? EXIT.ok : signalExitCode(before);
  const { instance } = before;
  if (output.isJson && words.length === 0) await output.element(AttachResponseSchema, before);
  else output.note(`registered ${service}/${instance?.instanceId} at ${addressOf(options)}`);
  if (words.length === 0) {
    await Promise.race([interrupts.first, attachment.ended]);
    await attachment.unregister();
    return EXIT.ok;
  }
  interrupts[Symbol.dispose]();
  const added = { CONCORD_SERVICE: service, CONCORD_INSTANCE_ID: instance?.instanceId ?? '' };
  const child = startChild(words, { env: { ...env, ...added }, onUnrunnable: output.note });
  // A service goes on serving whoever knows it already, whatever becomes of its registration.
  let isOver = false;
  attachment.ended.catch((error) => {
    if (!isOver) output.fail(describeFailure(error, use.gateway.address));
  });
  const code = await child.exited;
  isOver = true;
  await attachment.unregister();
  return code;
}

interface Attachment extends AsyncDisposable {
  readonly registered: Promise<AttachResponse>;
  /** Rejects where it is registered no longer and will not be again; never resolves. */
  readonly ended: Promise<never>;
  unregister(): Promise<void>;
}

/** Keeps an instance registered: takes the stream up again, and registers it anew where its time was over by then. */
function attach(
  instance: MessageInitShape<typeof InstanceSchema>,
  { ttl, grace }: RegisterOptions,
  { gateway, output, call }: Use,
): Attachment {
  const controller = new AbortController();
  const { signal } = controller;
  const registered = Promise.withResolvers<AttachResponse>();
  let last: Instance | undefined;
  const messages = {
    open: (resumeToken: string | undefined) =>
      gateway.discovery.attach(
        // Registered anew, it is the same instance: the id that was made for it stays.
        resumeToken === undefined
          ? { instance: { ...instance, ...given({ instanceId: last?.instanceId }) }, ttl, grace }
          : { resumeToken },
        { signal },
      ),
    tokenOf: ({ resumeToken }: AttachResponse) => resumeToken,
    ...tellBreaks(output),
  };
  const isTakenByAnother = async (): Promise<boolean> => {
    if (last === undefined) return false;
    const { service, instanceId, leaseId } = last;
    try {
      const found = await gateway.discovery.getInstance({ service, instanceId }, { ...call(), signal });
      return found.instance?.leaseId !== leaseId;
    } catch {
      // It is not there, or nobody answers: registering it again will tell.
      return false;
    }
  };
  const run = async (): Promise<never> => {
    for (;;) {
      try {
        for await (const message of resume(messages, { signal })) {
          last = message.instance;
          registered.resolve(message);
        }
      } catch (error) {
        signal.throwIfAborted();
        const isGone = ['SESSION_NOT_FOUND', 'INSTANCE_NOT_FOUND'].includes(reasonOf(error) ?? '');
        if (last === undefined || !(isGone || doesPass(error))) throw error;
        if (isGone && (await isTakenByAnother())) throw error;
        output.note('the registration ended; registering again');
        await delay(REGISTER_AGAIN_MS, undefined, { signal });
      }
    }
  };
  const ended = run();
  ended.catch(() => {});
  return {
    registered: registered.promise,
    ended,
    async unregister() {
      if (last === undefined) return;
      // The end of the lease is not to be taken for a loss.
      controller.abort(new Error('done'));
      try {
        // Its lease is nobody else's: an instance that has taken its place stays.
        await gateway.leases.revoke({ leaseId: last.leaseId }, call());
      } catch (error) {
        if (reasonOf(error) === 'LEASE_NOT_FOUND') return;
        const { message } = describeFailure(error, gateway.address);
        output.note(`it could not be unregistered, and ends by itself: ${message}`);
      }
    },
    async [Symbol.asyncDispose]() {
      controller.abort(new Error('done'));
    },
  };
}

function instanceOf(service: string, options: RegisterOptions): MessageInitShape<typeof InstanceSchema> {
  const { host, port, id, meta, tag, zone, instanceVersion, weight, status } = options;
  return {
    service,
    host,
    port,
    ...given({
      instanceId: id,
      metadata: meta === undefined ? undefined : Object.fromEntries(meta),
      tags: tag === undefined ? undefined : [...tag],
      zone,
      version: instanceVersion,
      weight,
      status: status === undefined ? undefined : STATUSES.get(status),
    }),
  };
}
