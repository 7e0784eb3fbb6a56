import { create, fromJsonString } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Command } from 'commander';
import {
  type DeliveryReport,
  DeliverySchema,
  ItemToPutSchema,
  type PublishRequest,
  PublishRequestSchema,
  PublishResponseSchema,
} from '../../gen/concord/config/v1/config_service_pb.ts';
import { collectPair, collectWord, given, integerBetween, readInput, timeOption } from './arguments.ts';
import { type ChangeOptions, changeFields, printChange, withChange } from './config-fields.ts';
import { CliError, EXIT, usageError } from './failure.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';
import { userName } from './user-name.ts';

/** What the call takes besides waiting for subscribers. */
const CALL_MS = 10_000;

interface PublishOptions extends ChangeOptions {
  readonly set?: ReadonlyMap<string, string>;
  readonly delete?: readonly string[];
  readonly dryRun?: true;
  readonly wait?: number;
  readonly waitTime: Duration;
}

/** Adds `config publish`. */
export function addConfigPublishCommand(config: Command, runtime: Runtime): void {
  withChange(config.command('publish'))
    .description(
      'Writes and deletes many items of one application, all or none, and prints what changed. With --wait: exit code 5 where too few subscribers run with it in time.',
    )
    .argument('<app>', 'the application')
    .argument(
      '[file]',
      'a concord.config.v1.PublishRequest as JSON: {"puts":[{"key":"a","value":"1"}],"deletes":["b"]}; "-" reads it from standard input',
    )
    .option('--set <key=value>', 'write this item; again for more', collectPair)
    .option('--delete <key>', 'delete this item; again for more', collectWord)
    .option('--dry-run', 'write nothing, and print what would change')
    .option('--wait <percent>', 'wait until so many of those who watch run with it', integerBetween(1, 100))
    .addOption(timeOption('--wait-time <time>', 'for how long at most', '30s'))
    .action((application: string, file: string | undefined, options: PublishOptions, command: Command) =>
      runCommand(runtime, command, (use) => publish(application, file, options, use)),
    );
}

async function publish(
  application: string,
  file: string | undefined,
  options: PublishOptions,
  { gateway, output, call }: Use,
): Promise<undefined> {
  const request = file === undefined ? create(PublishRequestSchema) : readRequest(file);
  const { dryRun, wait: percent, waitTime: timeout, set, delete: deletes = [] } = options;
  const puts = [...(set ?? [])].map(([key, value]) => create(ItemToPutSchema, { key, value }));
  const delivery = percent === undefined ? undefined : create(DeliverySchema, { percent, timeout });
  const answer = await gateway.config.publish(
    {
      ...request,
      application,
      ...changeFields(options, request.author || userName()),
      ...given({ dryRun, delivery }),
      puts: [...request.puts, ...puts],
      deletes: [...request.deletes, ...deletes],
    },
    call(CALL_MS + (percent === undefined ? 0 : durationMs(timeout))),
  );
  if (output.isJson) await output.message(PublishResponseSchema, answer);
  else {
    for (const change of answer.changes) await printChange(change, output);
    const done = dryRun ? 'would change' : 'changed';
    const count = answer.changes.length;
    await output.line(count === 0 ? 'nothing changes' : `${done} ${count} at revision ${answer.revision}`);
  }
  if (answer.delivery !== undefined) checkDelivery(answer.delivery);
  return undefined;
}

function readRequest(file: string): PublishRequest {
  const text = Buffer.from(readInput(file)).toString();
  try {
    return fromJsonString(PublishRequestSchema, text);
  } catch (error) {
    throw usageError(`this is no PublishRequest: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Throws where too few run with what was published. */
function checkDelivery({ reached, appliedCount, subscriberCount, failedCount }: DeliveryReport): void {
  if (reached) return;
  const failed = failedCount > 0 ? `, ${failedCount} cannot` : '';
  throw new CliError({
    code: 'deadline_exceeded',
    message: `it is published, and ${appliedCount} of ${subscriberCount} run with it${failed}`,
    exitCode: EXIT.unavailable,
  });
}
