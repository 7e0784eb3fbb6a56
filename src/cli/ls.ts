import { create } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import type { KeyValue } from '../../gen/concord/kv/v1/key_value_pb.ts';
import { ListChildrenResponseSchema, ListResponseSchema } from '../../gen/concord/kv/v1/kv_service_pb.ts';
import { View } from '../../gen/concord/kv/v1/reading_pb.ts';
import { keyText, valueText } from './kv.ts';
import { shown } from './output.ts';
import { everyPage } from './pages.ts';
import { type Runtime, runCommand, type Use } from './runtime.ts';
import type { Column } from './table.ts';

const PAGE_SIZE = 1_000;

const COLUMNS: readonly Column<KeyValue>[] = [
  { title: 'KEY', text: keyText },
  { title: 'VALUE', text: valueText },
  { title: 'VERSION', text: ({ version }) => String(version), isNumber: true },
  { title: 'REVISION', text: ({ modRevision }) => String(modRevision), isNumber: true },
  { title: 'LEASE', text: ({ leaseId }) => (leaseId === 0n ? '' : String(leaseId)) },
];

interface ListOptions {
  readonly recursive?: true;
  readonly long?: true;
}

/** Adds `ls`. */
export function addLsCommand(program: Command, runtime: Runtime): void {
  program
    .command('ls')
    .summary('list the names directly under a path, or all keys below it')
    .description(
      'Lists the names directly under a path, as ls does: what ends with / has keys below it, and a name that is both stands there twice. Nothing there: nothing is printed.',
    )
    .argument('[path]', 'where to look; the beginning of keys with -r', '')
    .option('-r, --recursive', 'list all keys that begin with the path')
    .option('-l, --long', 'list all keys that begin with the path, with values, versions and revisions')
    .action((path: string, options: ListOptions, command: Command) =>
      runCommand(runtime, command, (use) =>
        options.recursive || options.long ? listKeys(path, options, use) : listChildren(path, use),
      ),
    );
}

async function listChildren(parent: string, use: Use): Promise<undefined> {
  const { gateway, output } = use;
  const whole = create(ListChildrenResponseSchema);
  for await (const page of everyPage((pageToken) =>
    gateway.kv.listChildren({ parent, pageSize: PAGE_SIZE, pageToken }, use.call()),
  )) {
    whole.revision = page.revision;
    if (output.isJson) whole.children.push(...page.children);
    else
      for (const { name, nameBytes, isKey, hasChildren } of page.children) {
        const text = shown(name, nameBytes);
        if (isKey) await output.line(text);
        if (hasChildren) await output.line(output.paint('cyan', `${text}/`));
      }
  }
  if (output.isJson) await output.message(ListChildrenResponseSchema, whole);
  return undefined;
}

async function listKeys(prefix: string, { long }: ListOptions, use: Use): Promise<undefined> {
  const { gateway, output } = use;
  const view = long ? View.FULL : View.KEYS_ONLY;
  const whole = create(ListResponseSchema);
  for await (const page of everyPage((pageToken) =>
    gateway.kv.list({ prefix, view, pageSize: PAGE_SIZE, pageToken }, use.call()),
  )) {
    Object.assign(whole, { revision: page.revision, totalSize: page.totalSize });
    if (output.isJson || long) whole.kvs.push(...page.kvs);
    else for (const kv of page.kvs) await output.line(keyText(kv));
  }
  if (output.isJson) await output.message(ListResponseSchema, whole);
  else if (long) await output.table(COLUMNS, whole.kvs);
  return undefined;
}
