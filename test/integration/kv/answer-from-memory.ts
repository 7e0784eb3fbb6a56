import type { RegisterCalls } from './ask-register.ts';

/** Answers every `every`th Get of a key with what the last Get of that key was told: a gateway that reads from memory, and must not. */
export function answerFromMemory(calls: RegisterCalls, every: number): RegisterCalls {
  const answers = new Map<string, ReturnType<RegisterCalls['get']>>();
  let count = 0;
  return {
    ...calls,
    get(request, options) {
      const key = request.key ?? '';
      count += 1;
      const remembered = answers.get(key);
      if (remembered !== undefined && count % every === 0) return remembered;
      const answer = calls.get(request, options);
      answers.set(key, answer);
      return answer;
    },
  };
}
