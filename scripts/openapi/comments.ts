import type { DescFile } from '@bufbuild/protobuf';
import type { DescriptorProto, EnumDescriptorProto } from '@bufbuild/protobuf/wkt';

/** Returns the comment of an element as Markdown, a line a paragraph; empty where it has none. */
export type CommentOf = (element: { readonly proto: object }) => string;

/** The field numbers of google/protobuf/descriptor.proto that lead to an element. */
const IN_FILE = { message: 4, enum: 5, service: 6 };
const IN_MESSAGE = { field: 2, message: 3, enum: 4, oneof: 8 };
const IN_ENUM = { value: 2 };
const IN_SERVICE = { method: 2 };

/** Reads what stands before the elements of files that were built with their source. */
export function readComments(files: Iterable<DescFile>): CommentOf {
  const comments = new Map<object, string>();
  for (const { proto: file } of files) {
    const texts = new Map(
      (file.sourceCodeInfo?.location ?? []).map(({ path, leadingComments }) => [
        path.join(),
        paragraphsOf(leadingComments),
      ]),
    );
    const put = (element: object, path: readonly number[]) => {
      const text = texts.get(path.join()) ?? '';
      if (text !== '') comments.set(element, text);
    };
    const putEnum = (element: EnumDescriptorProto, path: readonly number[]) => {
      put(element, path);
      for (const [i, value] of element.value.entries()) put(value, [...path, IN_ENUM.value, i]);
    };
    const putMessage = (element: DescriptorProto, path: readonly number[]) => {
      put(element, path);
      for (const [i, field] of element.field.entries()) put(field, [...path, IN_MESSAGE.field, i]);
      for (const [i, oneof] of element.oneofDecl.entries()) put(oneof, [...path, IN_MESSAGE.oneof, i]);
      for (const [i, nested] of element.enumType.entries()) putEnum(nested, [...path, IN_MESSAGE.enum, i]);
      for (const [i, nested] of element.nestedType.entries())
        putMessage(nested, [...path, IN_MESSAGE.message, i]);
    };
    for (const [i, each] of file.messageType.entries()) putMessage(each, [IN_FILE.message, i]);
    for (const [i, each] of file.enumType.entries()) putEnum(each, [IN_FILE.enum, i]);
    for (const [i, service] of file.service.entries()) {
      put(service, [IN_FILE.service, i]);
      for (const [j, method] of service.method.entries())
        put(method, [IN_FILE.service, i, IN_SERVICE.method, j]);
    }
  }
  return ({ proto }) => comments.get(proto) ?? '';
}

/** Lines that the width of the file has broken are joined. */
function paragraphsOf(comment: string): string {
  return comment
    .split(/\n[ \t]*\n/)
    .map((paragraph) =>
      paragraph
        .split('\n')
        .map((line) => line.trim())
        .join(' ')
        .trim(),
    )
    .filter((paragraph) => paragraph !== '')
    .join('\n\n');
}
