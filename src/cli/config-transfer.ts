import { extname } from 'node:path';
import { type Command, Option } from 'commander';
import {
  ExportResponseSchema,
  Format,
  FormatSchema,
  ImportResponseSchema,
} from '../../gen/concord/config/v1/config_service_pb.ts';
import { enumWords, given, readInput } from './arguments.ts';
import { type ChangeOptions, changeFields, printChange, withChange, withProfile } from './config-fields.ts';
import { usageError } from './failure.ts';
import { showProgress } from './progress.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';
import { userName } from './user-name.ts';

const FORMATS = enumWords(FormatSchema);

/** What the names of files say. */
const EXTENSIONS: Readonly<Record<string, Format>> = {
  '.json': Format.JSON,
  '.yaml': Format.YAML,
  '.yml': Format.YAML,
  '.properties': Format.PROPERTIES,
  '.env': Format.DOTENV,
};

/** An import of many items is written in steps, one after the other. */
const IMPORT_TIMEOUT_MS = 300_000;

interface ExportOptions {
  readonly format: string;
  readonly profile?: string;
  readonly reveal?: true;
}

interface ImportOptions extends ChangeOptions {
  readonly format?: string;
  readonly replace?: true;
  readonly dryRun?: true;
}

/** Adds `config export` and `config import`. */
export function addConfigTransferCommands(config: Command, runtime: Runtime): void {
  withProfile(config.command('export'))
    .description('Prints all items of a profile as one text.')
    .argument('<app>', 'the application')
    .addOption(
      new Option('--format <word>', 'what it is written as').choices([...FORMATS.keys()]).default('json'),
    )
    .option('--reveal', 'with secrets; needs a --token that may')
    .action((application: string, options: ExportOptions, command: Command) =>
      runCommand(runtime, command, (use) => exportProfile(application, options, use)),
    );
  withChange(config.command('import'))
    .description('Writes all items of a text, and prints what changed.')
    .argument('<app>', 'the application')
    .argument('[file]', 'the text; "-" reads it from standard input', '-')
    .addOption(
      new Option('--format <word>', 'what it is written as; default: as the name of the file ends').choices([
        ...FORMATS.keys(),
      ]),
    )
    .option('--replace', 'delete the items that the text does not hold')
    .option('--dry-run', 'write nothing, and print what would change')
    .action((application: string, file: string, options: ImportOptions, command: Command) =>
      runCommand(runtime, command, (use) => importProfile(application, file, options, use)),
    );
}

async function exportProfile(
  application: string,
  { format, profile, reveal }: ExportOptions,
  { gateway, output, call }: Use,
): Promise<undefined> {
  const request = { application, format: FORMATS.get(format) ?? Format.UNSPECIFIED };
  const answer = await gateway.config.export(
    { ...request, ...given({ profile, revealSecrets: reveal }) },
    call(),
  );
  if (output.isJson) return void (await output.message(ExportResponseSchema, answer));
  await output.bytes(Buffer.from(answer.text.endsWith('\n') ? answer.text : `${answer.text}\n`));
  if (answer.redactedKeys.length > 0)
    output.note(`left out, since they are secret: ${answer.redactedKeys.join(', ')}`);
  return undefined;
}

async function importProfile(
  application: string,
  file: string,
  options: ImportOptions,
  { gateway, output, call }: Use,
): Promise<undefined> {
  const { replace, dryRun } = options;
  const format = formatOf(file, options.format);
  const text = Buffer.from(readInput(file)).toString();
  const request = { application, format, text, ...changeFields(options, userName()) };
  const answer = await showProgress(
    `importing into ${application}`,
    gateway.config.import({ ...request, ...given({ replace, dryRun }) }, call(IMPORT_TIMEOUT_MS)),
    output.progress,
  );
  if (output.isJson) return void (await output.message(ImportResponseSchema, answer));
  for (const change of answer.changes) await printChange(change, output);
  const { createdCount, updatedCount, deletedCount, unchangedCount, revision } = answer;
  const more = createdCount + updatedCount + deletedCount - answer.changes.length;
  if (more > 0) await output.line(`… and ${more} more`);
  const counts = `created ${createdCount}, updated ${updatedCount}, deleted ${deletedCount}, unchanged ${unchangedCount}`;
  await output.line(dryRun ? `${counts}; nothing is written` : `${counts}, at revision ${revision}`);
  return undefined;
}

function formatOf(file: string, word: string | undefined): Format {
  const found = word === undefined ? EXTENSIONS[extname(file) || file.slice(-4)] : FORMATS.get(word);
  if (found === undefined)
    throw usageError(`say what ${file === '-' ? 'the text' : file} is written as: --format`);
  return found;
}
