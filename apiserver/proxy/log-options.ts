import { forbidden, invalid as invalidField } from '../../api/field-error.ts';
import type { FieldError } from '../registry/kind.ts';
import { badRequest, invalid } from '../rest/api-error.ts';

const passed = ['previous', 'sinceSeconds', 'sinceTime', 'timestamps', 'tailLines', 'limitBytes', 'stream'];
const numbers = ['sinceSeconds', 'tailLines', 'limitBytes'];

function checkNumber(text: string): number {
  if (!/^-?\d{1,18}$/.test(text))
    throw badRequest(
      `converting (url.Values) to (v1.PodLogOptions) failed: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  return Number(text);
}

/**
 * The kubelet's query for a log request, checked.
 * @throws {ApiError} 400 for what is not a number, 422 for what is out of bounds
 */
export function logQuery(query: URLSearchParams): URLSearchParams {
  const problems: FieldError[] = [];
  for (const name of numbers) {
    const text = query.get(name);
    if (text === null) continue;
    const value = checkNumber(text);
    if (name === 'tailLines' && value < 0)
      problems.push(invalidField(name, value, 'must be greater than or equal to 0'));
    if (name !== 'tailLines' && value < 1) problems.push(invalidField(name, value, 'must be greater than 0'));
  }
  if (query.has('sinceSeconds') && query.has('sinceTime'))
    problems.push(forbidden('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  if (problems.length)
    throw invalid({ group: '', plural: 'podlogoptions', kind: 'PodLogOptions' }, '', problems);
  const result = new URLSearchParams();
  if (/^(true|1)$/i.test(query.get('follow') ?? '')) result.set('follow', 'true');
  for (const name of passed) {
    const value = query.get(name);
    if (value !== null && value !== '') result.set(name, value);
  }
  return result;
}
