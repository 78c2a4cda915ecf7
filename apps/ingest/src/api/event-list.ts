import { ProblemError } from '#common/http/problem.js';
import { CLOUD_EVENT_MEMBERS, scannedStructuredEvent, structuredEvent } from '#common/records/cloud-event.js';
import {
  EVENT_MEMBERS,
  jsonErrors,
  nativeEvent,
  type ParsedEvent,
  parseJson,
  SCAN_BYTES,
  scannedNativeEvent,
} from '#common/records/event.js';
import type { FieldError } from '#common/records/field-errors.js';
import { knownName, type ScannedValue, scanElements, scanMembers, scanValue } from '#common/records/json-document.js';
import { endOfValue, OPEN_BRACE, OPEN_BRACKET } from '#common/records/json-scanner.js';
import { elementSpans, memberSpan } from '#common/records/raw-json.js';

/** The format of a batch's events: native or CloudEvents. */
export interface ListFormat {
  /** Names of an event's members that the format defines. */
  readonly known: readonly string[];
  readonly readParsed: (value: unknown, text: string, at: number) => ParsedEvent;
  readonly readScanned: (bytes: Uint8Array, scanned: ScannedValue) => ParsedEvent;
}

export const NATIVE_LIST: ListFormat = {
  known: EVENT_MEMBERS,
  readParsed: nativeEvent,
  readScanned: scannedNativeEvent,
};
export const CLOUD_EVENT_LIST: ListFormat = {
  known: CLOUD_EVENT_MEMBERS,
  readParsed: structuredEvent,
  readScanned: scannedStructuredEvent,
};

/** Member name of a list that is wrapped in an object. */
const WRAPPER = ['events'];

export interface ListedEvent {
  /** Length of the event's JSON text. */
  readonly bytes: number;
  readonly read: () => ParsedEvent;
}

/** A list's length, and at most `maxEvents` of its elements. */
interface List<Element> {
  readonly count: number;
  readonly elements: readonly Element[];
}

/**
 * Reads the events of a body: a JSON array, or `{"events": [...]}`.
 *
 * @param scanBytes bodies of at least this size are scanned instead of parsed; the result is the same
 * @throws ProblemError BODY_INVALID
 */
export function listEvents(
  body: Buffer,
  format: ListFormat,
  maxEvents: number,
  scanBytes = SCAN_BYTES,
): readonly ListedEvent[] {
  const list = body.length < scanBytes ? parsedList(body, format) : scannedList(body, format, maxEvents);
  if (list === undefined) {
    throw invalid([{ field: 'body', message: 'must be a list of events, or {"events": [...]}' }]);
  }
  if (list.count === 0 || list.count > maxEvents) {
    throw invalid([{ field: 'events', message: `must hold 1 to ${maxEvents} events, not ${list.count}` }]);
  }
  return list.elements;
}

function parsedList(body: Buffer, { readParsed }: ListFormat): List<ListedEvent> | undefined {
  const json = parseJson(body);
  if (!json.ok) throw invalid(json.errors);
  const { value, text } = json;
  const isWrapped = isObject(value) && Object.keys(value).length === 1;
  const elements: unknown = isWrapped ? value.events : value;
  if (!Array.isArray(elements)) return undefined;
  const spans = elementSpans(text, isWrapped ? memberSpan(text, 0, 'events')?.start : 0);
  const events = spans.map(({ start, end }, index) => ({
    bytes: Buffer.byteLength(text.slice(start, end)),
    read: () => readParsed(elements[index], text, start),
  }));
  return { count: events.length, elements: events };
}

function scannedList(
  body: Buffer,
  { known, readScanned }: ListFormat,
  maxEvents: number,
): List<ListedEvent> | undefined {
  let list: List<ListedEvent> | undefined;
  const scanListAt = (text: Uint8Array, at: number): number => {
    const elements: ListedEvent[] = [];
    let count = 0;
    const end = scanElements(text, at, (_, position) => {
      if (++count > maxEvents) return endOfValue(text, position);
      const scanned = scanValue(text, position, known);
      elements.push({ bytes: scanned.end - position, read: () => readScanned(body, scanned) });
      return scanned.end;
    });
    list = { count, elements };
    return end;
  };
  const errors = jsonErrors(body, (text, at) => {
    if (text[at] === OPEN_BRACKET) return scanListAt(text, at);
    if (text[at] !== OPEN_BRACE) return endOfValue(text, at);
    let isOnlyMember = true;
    return scanMembers(text, at, (nameAt, valueAt) => {
      list = undefined;
      isOnlyMember &&= knownName(text, nameAt, WRAPPER) !== undefined;
      return isOnlyMember && text[valueAt] === OPEN_BRACKET ? scanListAt(text, valueAt) : endOfValue(text, valueAt);
    });
  });
  if (errors.length > 0) throw invalid(errors);
  return list;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(errors: readonly FieldError[]): ProblemError {
  return new ProblemError('BODY_INVALID', 'the batch is not valid', { errors });
}
