import { z } from 'zod';
import { BREAKER_OPTIONS, ENDPOINT_OPTIONS, type EndpointDefaults, type EndpointOption } from './endpoint-options.js';

type Options = Readonly<Record<string, EndpointOption>>;
type Kept<Option> = Option extends { record: infer Schema } | { copy: infer Schema } ? Schema : never;
type Announced<Group> = {
  [Name in keyof Group as Group[Name] extends { record: z.ZodType } ? Name : never]: Kept<Group[Name]>;
};
type Unannounced<Group> = {
  [Name in keyof Group as Group[Name] extends { copy: z.ZodType } ? Name : never]: Kept<Group[Name]>;
};
/** Schemas of options that earlier releases lacked have a default. */
type WithAbsent<Group, Shape> = {
  [Name in keyof Shape]: Shape[Name] extends z.ZodType
    ? Name extends keyof Group
      ? Group[Name] extends { absent: unknown }
        ? z.ZodDefault<Shape[Name]>
        : Shape[Name]
      : never
    : never;
};
type CreateForm<Option> = Option extends { form: infer Form extends z.ZodType }
  ? Option extends { default: unknown }
    ? z.ZodDefault<Form>
    : Form
  : never;
type Stored<Option> = Option extends { codec: { store: (given: never) => infer Value } }
  ? Value
  : Kept<Option> extends z.ZodType
    ? z.output<Kept<Option>>
    : never;
type Within<Name> = Name extends `breaker_${infer Inner}` ? Inner : never;

export type OptionName = keyof typeof ENDPOINT_OPTIONS;
type BreakerName = keyof typeof BREAKER_OPTIONS;

/** The columns of all options. */
export type StoredOptions = { readonly [Name in OptionName]: Stored<(typeof ENDPOINT_OPTIONS)[Name]> };
export type UnannouncedName = keyof Unannounced<typeof ENDPOINT_OPTIONS>;

export const OPTION_NAMES = Object.keys(ENDPOINT_OPTIONS) as OptionName[];
export const UNANNOUNCED_NAMES = OPTION_NAMES.filter((name) => 'copy' in optionOf(name)) as UnannouncedName[];

/** Fields of a request that creates an endpoint. */
export function createForms<Group extends Options>(group: Group) {
  return mapped(group, createForm) as { [Name in keyof Group]: CreateForm<Group[Name]> };
}

/** Fields that any request may leave out. */
export function optionalForms<Group extends Options>(group: Group) {
  return mapped(group, optionalForm) as { [Name in keyof Group]: z.ZodOptional<Group[Name]['form']> };
}

/** Fields of a request, without defaults. */
export function forms<Group extends Options>(group: Group) {
  return mapped(group, ({ form }) => form) as { [Name in keyof Group]: Group[Name]['form'] };
}

/** Fields of an endpoint that the API shows. */
export function shownShape<Group extends Options>(group: Group) {
  return mapped(group, ({ shown }) => shown) as { [Name in keyof Group]: Group[Name]['shown'] };
}

/** Fields of the record that every app reads. */
export function recordShape<Group extends Options>(group: Group) {
  return mapped(group, ({ record, absent }) => withAbsent(record, absent)) as WithAbsent<Group, Announced<Group>>;
}

/** Fields of the record that only control reads. */
export function copyShape<Group extends Options>(group: Group) {
  return mapped(group, ({ copy, absent }) => withAbsent(copy, absent)) as WithAbsent<Group, Unannounced<Group>>;
}

/** Values of the options that a record of an earlier release lacks: nothing holds and nothing limits the endpoint. */
export function absentOptions() {
  return mapped(ENDPOINT_OPTIONS, ({ record, absent }) => (record === undefined ? undefined : absent)) as {
    [Name in keyof Announced<typeof ENDPOINT_OPTIONS> as (typeof ENDPOINT_OPTIONS)[Name] extends { absent: unknown }
      ? Name
      : never]: StoredOptions[Name];
  };
}

/** The values of these options that every app reads. */
export function announced<Group extends Partial<typeof ENDPOINT_OPTIONS>>(group: Group, endpoint: StoredOptions) {
  return mapped(group, ({ record }, name) => (record === undefined ? undefined : fieldOf(endpoint, name))) as {
    [Name in keyof Announced<Group>]: z.output<Announced<Group>[Name] & z.ZodType>;
  };
}

/** The values of these options that only control reads. */
export function unannounced<Group extends Partial<typeof ENDPOINT_OPTIONS>>(group: Group, endpoint: StoredOptions) {
  return mapped(group, ({ copy }, name) => (copy === undefined ? undefined : fieldOf(endpoint, name))) as {
    [Name in keyof Unannounced<Group>]: z.output<Unannounced<Group>[Name] & z.ZodType>;
  };
}

/** Options of a row whose record has no `copy`: the present values, or those of a release without the options. */
export function unknownOptions(present: StoredOptions | undefined): Pick<StoredOptions, UnannouncedName> {
  const values = UNANNOUNCED_NAMES.map((name) => [name, present?.[name] ?? optionOf(name).absent]);
  return Object.fromEntries(values) as Pick<StoredOptions, UnannouncedName>;
}

/** The values of these options as the API shows them. */
export function shownOptions<Group extends Partial<typeof ENDPOINT_OPTIONS>>(group: Group, endpoint: StoredOptions) {
  return mapped(group, ({ codec }, name) => {
    const stored = fieldOf(endpoint, name);
    return codec === undefined ? stored : codec.show(stored as never);
  }) as { [Name in keyof Group]: Group[Name] extends { shown: z.ZodType } ? z.output<Group[Name]['shown']> : never };
}

/** Options of an endpoint's form. */
export type OptionsForm = {
  readonly [Name in Exclude<OptionName, BreakerName>]?: z.output<(typeof ENDPOINT_OPTIONS)[Name]['form']> | undefined;
} & { readonly breaker?: BreakerForm | undefined };
type BreakerForm = {
  readonly [Name in BreakerName as Within<Name>]?: z.output<(typeof BREAKER_OPTIONS)[Name]['form']> | undefined;
};

/** Options as the breaker's form names them: `mode` for `breaker_mode`. */
export function withinBreaker<Fields extends { readonly [Name in BreakerName]: unknown }>(fields: Fields) {
  const entries = Object.entries(fields).map(([name, field]) => [innerName(name), field]);
  return Object.fromEntries(entries) as { [Name in keyof Fields as Within<Name>]: Fields[Name] };
}

/** The options of a new endpoint. @param form parsed: defaults that OpenAPI names are in it */
export function newOptions(form: OptionsForm, defaults: EndpointDefaults): StoredOptions {
  return storedOptions(form, (name) => optionOf(name).initial?.(defaults));
}

/** The options after a change; those that the form leaves out stay. */
export function patchedOptions(before: StoredOptions, form: OptionsForm): StoredOptions {
  return storedOptions(form, (name) => before[name]);
}

function storedOptions(form: OptionsForm, otherwise: (name: OptionName) => unknown): StoredOptions {
  const values = OPTION_NAMES.map((name) => {
    const given = givenOf(form, name);
    return [name, given === undefined ? otherwise(name) : store(optionOf(name), given)];
  });
  return Object.fromEntries(values) as StoredOptions;
}

function givenOf(form: OptionsForm, name: OptionName): unknown {
  return name in BREAKER_OPTIONS ? fieldOf(form.breaker ?? {}, innerName(name)) : fieldOf(form, name);
}

function store({ codec }: EndpointOption, given: unknown): unknown {
  return codec === undefined ? given : codec.store(given as never);
}

function createForm(option: EndpointOption): z.ZodType {
  return 'default' in option ? option.form.default(option.default) : option.form;
}

function optionalForm({ form }: EndpointOption): z.ZodType {
  return form.description === undefined ? form.optional() : form.optional().describe(form.description);
}

function withAbsent(schema: z.ZodType | undefined, absent: unknown): z.ZodType | undefined {
  return schema === undefined || absent === undefined ? schema : schema.default(absent);
}

/** @returns the fields that are not undefined, in the order of the group */
function mapped(group: Options, field: (option: EndpointOption, name: string) => unknown): object {
  const fields = Object.entries(group).map(([name, option]) => [name, field(option, name)] as const);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

function optionOf(name: OptionName): EndpointOption {
  return ENDPOINT_OPTIONS[name];
}

function fieldOf(fields: object, name: string): unknown {
  return (fields as Readonly<Record<string, unknown>>)[name];
}

function innerName(name: string): string {
  return name.slice('breaker_'.length);
}
