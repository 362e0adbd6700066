/**
 * Replaces `$(NAME)` by the variable's value; `$$` stands for one `$`, and a name that is not known stays as it is.
 * https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
 */
export function expand(text: string, value: (name: string) => string | undefined): string {
  let result = '';
  let i = 0;
  while (i < text.length) {
    const dollar = text.indexOf('$', i);
    if (dollar < 0 || dollar + 1 >= text.length) return result + text.slice(i);
    result += text.slice(i, dollar);
    const next = text[dollar + 1];
    if (next === '(') {
      const close = text.indexOf(')', dollar + 2);
      if (close < 0) {
        result += '$(';
        i = dollar + 2;
        continue;
      }
      const name = text.slice(dollar + 2, close);
      result += value(name) ?? `$(${name})`;
      i = close + 1;
    } else {
      result += next === '$' ? '$' : `$${next}`;
      i = dollar + 2;
    }
  }
  return result;
}
