// gRPC server reflection, v1 and v1alpha: grpcurl, `buf curl` and their like learn from it what is served.

import {
  type DescFile,
  type DescMessage,
  type DescService,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, type ConnectRouter } from '@connectrpc/connect';
import {
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
  ServerReflection as ServerReflectionV1,
} from '../../../gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionV1alpha } from '../../../gen/grpc/reflection/v1alpha/reflection_pb.ts';

/** Serves reflection of `services`; `files` are those that no service imports but whose messages are sent, error details for one. */
export function registerReflection(
  router: ConnectRouter,
  services: readonly DescService[],
  files: readonly DescFile[],
): void {
  const all = [...services, ServerReflectionV1, ServerReflectionV1alpha];
  const index = indexFiles([...all.map((service) => service.file), ...files]);
  const names = all.map((service) => ({ name: service.typeName }));
  async function* serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>) {
    for await (const originalRequest of requests) {
      const messageResponse = answerQuestion(originalRequest.messageRequest, index, names);
      yield { validHost: originalRequest.host, originalRequest, messageResponse };
    }
  }
  // The two versions differ in their package's name alone.
  const v1 = ServerReflectionV1.method.serverReflectionInfo;
  router.rpc(v1, serverReflectionInfo);
  router.rpc({ ...v1, parent: ServerReflectionV1alpha }, serverReflectionInfo);
}

type Question = ServerReflectionRequest['messageRequest'];
type Answer = NonNullable<
  Extract<MessageInitShape<typeof ServerReflectionResponseSchema>, { $typeName?: never }>['messageResponse']
>;

interface FileIndex {
  readonly byName: ReadonlyMap<string, DescFile>;
  readonly bySymbol: ReadonlyMap<string, DescFile>;
  /** Extensions, by the message extended and their number. */
  readonly byExtension: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

function answerQuestion(question: Question, index: FileIndex, services: { name: string }[]): Answer {
  switch (question.case) {
    case 'listServices':
      return { case: 'listServicesResponse', value: { service: services } };
    case 'fileByFilename':
      return fileAnswer(index.byName.get(question.value), question.value);
    case 'fileContainingSymbol':
      return fileAnswer(index.bySymbol.get(question.value), question.value);
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = question.value;
      const file = index.byExtension.get(containingType)?.get(extensionNumber);
      return fileAnswer(file, `extension ${extensionNumber} of ${containingType}`);
    }
    case 'allExtensionNumbersOfType': {
      const baseTypeName = question.value;
      if (!index.bySymbol.has(baseTypeName)) return notFound(baseTypeName);
      const extensionNumber = [...(index.byExtension.get(baseTypeName)?.keys() ?? [])];
      return { case: 'allExtensionNumbersResponse', value: { baseTypeName, extensionNumber } };
    }
    case undefined:
      return errorAnswer(Code.InvalidArgument, 'the request asks nothing');
  }
}

function fileAnswer(file: DescFile | undefined, what: string): Answer {
  if (file === undefined) return notFound(what);
  const fileDescriptorProto = withImports(file).map((each) =>
    toBinary(FileDescriptorProtoSchema, each.proto),
  );
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function notFound(what: string): Answer {
  return errorAnswer(Code.NotFound, `not found: ${what}`);
}

function errorAnswer(errorCode: Code, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}

/** The file and all that it imports, each once. */
function withImports(file: DescFile): DescFile[] {
  const found = new Map<string, DescFile>();
  function visit(each: DescFile): void {
    if (found.has(each.proto.name)) return;
    found.set(each.proto.name, each);
    each.dependencies.forEach(visit);
  }
  visit(file);
  return [...found.values()];
}

function indexFiles(roots: readonly DescFile[]): FileIndex {
  const byName = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const byExtension = new Map<string, Map<number, DescFile>>();

  function addMessage(message: DescMessage): void {
    bySymbol.set(message.typeName, message.file);
    for (const field of message.fields) bySymbol.set(`${message.typeName}.${field.name}`, message.file);
    for (const inner of message.nestedEnums) bySymbol.set(inner.typeName, message.file);
    message.nestedMessages.forEach(addMessage);
  }
  for (const file of roots.flatMap(withImports)) {
    if (byName.has(file.proto.name)) continue;
    byName.set(file.proto.name, file);
    file.messages.forEach(addMessage);
    for (const each of file.enums) bySymbol.set(each.typeName, file);
    for (const service of file.services) {
      bySymbol.set(service.typeName, file);
      for (const method of service.methods) bySymbol.set(`${service.typeName}.${method.name}`, file);
    }
    for (const extension of file.extensions) {
      bySymbol.set(extension.typeName, file);
      const numbers = byExtension.get(extension.extendee.typeName) ?? new Map<number, DescFile>();
      byExtension.set(extension.extendee.typeName, numbers.set(extension.number, file));
    }
  }
  return { byName, bySymbol, byExtension };
}
