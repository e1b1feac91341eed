/**
 * What a statement may call when production runs it: functions of pg_catalog (PostgreSQL 13 to 18) that are immutable, or
 * stable by session settings that are replayed (TimeZone, DateStyle, IntervalStyle, ...). STABLE alone is no licence:
 * txid_current() is STABLE and takes a transaction id, table_to_xml() reads a relation named in a string. So no function
 * is here that takes a relation, a query or an OID, reads settings or statistics, sleeps, locks, signals, or touches
 * sequences, files or large objects. Every overload of a name is of that kind.
 */
const words = (text: string): readonly string[] => text.trim().split(/\s+/)

const AGGREGATES = words(`
  any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every json_agg
  json_object_agg jsonb_agg jsonb_object_agg max min mode percentile_cont percentile_disc range_agg range_intersect_agg
  regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop
  stddev_samp string_agg sum var_pop var_samp variance cume_dist dense_rank first_value lag last_value lead nth_value
  ntile percent_rank rank row_number grouping`)

const STRINGS = words(`
  ascii bit_length btrim char_length character_length chr concat concat_ws convert_from convert_to decode encode format
  initcap left length like_escape lower lpad ltrim md5 normalize is_normalized octet_length overlay position quote_ident
  quote_literal quote_nullable regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
  regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse right rpad rtrim sha224 sha256 sha384
  sha512 split_part starts_with string_to_array string_to_table strpos substr substring to_ascii to_hex to_number
  translate trim unistr upper get_bit get_byte set_bit set_byte bit_count`)

const NUMBERS = words(`
  abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd cosh cot cotd degrees
  div exp factorial floor gcd lcm ln log log10 min_scale mod pi power pow radians round scale sign sin sind sinh sqrt tan
  tand tanh trim_scale trunc width_bucket`)

/** With a time of day of their own arguments; `age` of one argument reads today's date and is left out by its count. */
const TIMES = words(`
  age date_bin date_part date_trunc extract isfinite justify_days justify_hours justify_interval make_date make_interval
  make_time make_timestamp make_timestamptz overlaps timezone to_char to_date to_timestamp`)

const ARRAYS_AND_RANGES = words(`
  array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions
  array_prepend array_remove array_replace array_to_string array_upper cardinality trim_array unnest generate_series
  generate_subscripts isempty lower_inc lower_inf range_merge upper_inc upper_inf multirange int4range int8range numrange
  tsrange tstzrange daterange num_nonnulls num_nulls`)

const JSON_FUNCTIONS = words(`
  array_to_json json_array_elements json_array_elements_text json_array_length json_build_array json_build_object
  json_each json_each_text json_extract_path json_extract_path_text json_object json_object_keys json_strip_nulls
  json_typeof jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object
  jsonb_concat jsonb_delete jsonb_delete_path jsonb_each jsonb_each_text jsonb_exists jsonb_extract_path
  jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query
  jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_typeof
  row_to_json to_json to_jsonb`)

const NETWORK_AND_SEARCH = words(`
  abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask network set_masklen
  array_to_tsvector numnode plainto_tsquery phraseto_tsquery querytree setweight strip to_tsquery to_tsvector ts_delete
  ts_filter ts_headline ts_rank ts_rank_cd tsvector_to_array websearch_to_tsquery`)

/** Allowed in a statement that production runs, in a transaction block or not. */
export const SAFE_FUNCTIONS: ReadonlySet<string> = new Set([
  ...AGGREGATES,
  ...STRINGS,
  ...NUMBERS,
  ...TIMES,
  ...ARRAYS_AND_RANGES,
  ...JSON_FUNCTIONS,
  ...NETWORK_AND_SEARCH,
])

/** Read the transaction's start: the same on both sides only outside of a transaction block. */
export const TRANSACTION_CLOCKS: ReadonlySet<string> = new Set(['now', 'transaction_timestamp', 'statement_timestamp'])

/** As SQLValueFunction nodes. The others (CURRENT_USER, CURRENT_SCHEMA, ...) differ by side. */
export const CLOCK_VALUE_FUNCTIONS: ReadonlySet<string> = new Set([
  'SVFOP_CURRENT_DATE',
  'SVFOP_CURRENT_TIME',
  'SVFOP_CURRENT_TIME_N',
  'SVFOP_CURRENT_TIMESTAMP',
  'SVFOP_CURRENT_TIMESTAMP_N',
  'SVFOP_LOCALTIME',
  'SVFOP_LOCALTIME_N',
  'SVFOP_LOCALTIMESTAMP',
  'SVFOP_LOCALTIMESTAMP_N',
])

/** Operators of pg_catalog over builtin types; none of them does anything but compute. */
export const SAFE_OPERATORS: ReadonlySet<string> = new Set(
  words(`
  = <> != < > <= >= + - * / % ^ |/ ||/ @ & | # ~ << >> || ~~ ~~* !~~ !~~* ~* !~ !~* -> ->> #> #>> @> <@ ? ?| ?& #- @? @@
  && &< &> -|- ^@ ~>~ ~<~ ~>=~ ~<=~ <<= >>= *= *<> &&& !!`),
)

/** As the parser writes them: `int` is `int4` there. Input and output of these run no code of a user. */
export const SAFE_TYPES: ReadonlySet<string> = new Set(
  words(`
  bool int2 int4 int8 float4 float8 numeric text varchar bpchar char name bytea bit varbit date time timetz timestamp
  timestamptz interval uuid json jsonb jsonpath inet cidr macaddr macaddr8 int4range int8range numrange tsrange
  tstzrange daterange tsvector tsquery point line lseg box path polygon circle
  smallint integer bigint real decimal boolean character dec`),
)

/**
 * Node types of a plain read, all of them. What is not here goes to the overlay: among others `(row).field`, which may call
 * a function, and COLLATE, whose collations may differ.
 */
export const SAFE_NODES: ReadonlySet<string> = new Set(
  words(`
  SelectStmt ResTarget ColumnRef A_Star A_Const A_Expr BoolExpr NullTest BooleanTest FuncCall TypeCast TypeName ParamRef
  RangeVar RangeSubselect RangeFunction JoinExpr SubLink CaseExpr CaseWhen CoalesceExpr MinMaxExpr SortBy WindowDef
  A_ArrayExpr RowExpr GroupingSet GroupingFunc NamedArgExpr SQLValueFunction
  CommonTableExpr String Integer Float Boolean BitString List`),
)

/** Types by the names of `format_type`, without length and array marks. */
const FORMATTED_TYPES: ReadonlySet<string> = new Set([
  ...SAFE_TYPES,
  'double precision',
  'character varying',
  'bit varying',
  'time without time zone',
  'time with time zone',
  'timestamp without time zone',
  'timestamp with time zone',
  '"char"',
])

/** A type, as `format_type` writes it, that is the same on every server. */
export function isBuiltinType(formatted: string): boolean {
  const name = formatted.replaceAll(/\([^)]*\)/g, '').replaceAll('[]', '')
  return FORMATTED_TYPES.has(name.trim().replaceAll(/ {2,}/g, ' ')) || /^interval\b/.test(name)
}
