// The options that the commands of configuration share, and what items look like.

import { type Command, Option } from 'commander';
import {
  type ConfigChange,
  ConfigChange_Type,
  type ConfigItem,
  ContentTypeSchema,
} from '../../gen/concord/config/v1/config_item_pb.ts';
import { enumWord, enumWords, given, parseInt64 } from './arguments.ts';
import { type Output, shown, shownTime } from './output.ts';
import type { Column } from './table.ts';

/** The words for content types. */
export const CONTENT_TYPES = enumWords(ContentTypeSchema);

/** The columns of items. */
export const ITEM_COLUMNS: readonly Column<ConfigItem>[] = [
  { title: 'KEY', text: ({ key }) => key },
  { title: 'VALUE', text: itemText },
  { title: 'TYPE', text: ({ contentType }) => enumWord(ContentTypeSchema, contentType) },
  { title: 'VERSION', text: ({ version }) => String(version), isNumber: true },
  { title: 'AUTHOR', text: ({ author }) => author },
  { title: 'CHANGED', text: ({ updateTime }) => shownTime(updateTime), isWhole: true },
];

/** The options of commands that change something. */
export interface ChangeOptions {
  readonly profile?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly expectedRevision?: bigint;
}

/** Adds `--profile`. */
export function withProfile(command: Command): Command {
  return command.option('--profile <name>', 'the profile; default: default');
}

/** Adds what a change says of itself. */
export function withChange(command: Command): Command {
  return withProfile(command)
    .option('--author <text>', 'who makes the change; default: the name of the user')
    .option('--comment <text>', 'why')
    .option(
      '--expected-revision <n>',
      'only if it was not changed after n; 0: if it does not exist',
      parseInt64,
    );
}

/** Adds `--type`. */
export function withType(command: Command): Command {
  return command.addOption(
    new Option(
      '--type <word>',
      'what the value is written as; default: as before, text for a new item',
    ).choices([...CONTENT_TYPES.keys()]),
  );
}

/** The fields of a change. `defaultAuthor` is the name of the user. */
export function changeFields(
  { profile, author, comment, expectedRevision }: ChangeOptions,
  defaultAuthor: string,
) {
  return given({ profile, author: author ?? defaultAuthor, comment, expectedRevision });
}

/** The value of an item as it is shown, on one line. */
export function itemText({
  value,
  valueBytes,
  redacted,
}: Pick<ConfigItem, 'value' | 'valueBytes' | 'redacted'>): string {
  return redacted ? '(secret)' : shown(value, valueBytes);
}

/** Prints what changed, as a diff does: what was, then what is. */
export async function printChange({ type, item, previous }: ConfigChange, output: Output): Promise<void> {
  const key = shown(item?.key ?? '', new Uint8Array());
  if (previous !== undefined) await output.line(output.paint('red', `- ${key} = ${itemText(previous)}`));
  else if (type !== ConfigChange_Type.CREATED) await output.line(output.paint('red', `- ${key}`));
  if (item !== undefined && type !== ConfigChange_Type.DELETED)
    await output.line(output.paint('green', `+ ${key} = ${itemText(item)}`));
}
