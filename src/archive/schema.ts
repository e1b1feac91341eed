/**
 * The messages that a recording holds, as protobuf text: the one place where they are defined. `docs/recording-format.md`
 * quotes it, and a test holds the two together. Fields are only ever added; numbers are never used again.
 */
export const SCHEMA_FILE = 'mesh/v1/recording.proto'

export const EXCHANGE_TYPE = 'mesh.v1.Exchange'
export const LATE_RESPONSE_TYPE = 'mesh.v1.LateResponse'
export const LEDGER_TYPE = 'mesh.v1.Ledger'
export const SEALED_TYPE = 'mesh.v1.Sealed'

export const SCHEMA_TEXT = `syntax = "proto3";

package mesh.v1;

// A request and its response as they were seen on one host. log_time is the wall clock of the request's first byte;
// every time inside is in nanoseconds after it.
message Exchange {
  // Unique within the recording, all its parts included.
  uint64 id = 1;
  // Ordinal of the connection within the recording, and the request's place in it, both from 0.
  uint64 connection = 2;
  uint64 position = 3;
  // Whose request it is, masked; empty where only the connection tells.
  string session = 4;
  Protocol protocol = 5;
  // The connection is TLS on the client's side.
  bool secure = 6;
  Endpoint client = 7;
  Endpoint server = 8;
  Message request = 9;
  // The request's last byte.
  sint64 request_last_ns = 10;
  oneof outcome {
    Response response = 11;
    Missing missing = 12;
  }
}

// A response that came after its exchange had to be written. log_time is the wall clock of its last byte.
message LateResponse {
  uint64 exchange_id = 1;
  Response response = 2;
}

// One end of a connection.
message Endpoint {
  string address = 1;
  uint32 port = 2;
}

// head: start line and headers up to and with the empty line. body: transfer-decoded, still content-encoded.
// trailers: trailer lines, each with its CRLF.
message Message {
  bytes head = 1;
  bytes body = 2;
  bytes trailers = 3;
  // The body's true size, even where body holds less of it.
  uint64 body_size = 4;
  Cut cut = 5;
}

// A Message with the times of its first and last byte, in nanoseconds after log_time (before it where negative).
message Response {
  bytes head = 1;
  bytes body = 2;
  bytes trailers = 3;
  uint64 body_size = 4;
  Cut cut = 5;
  sint64 first_ns = 6;
  sint64 last_ns = 7;
}

enum Protocol {
  PROTOCOL_UNSPECIFIED = 0;
  PROTOCOL_HTTP1 = 1;
  PROTOCOL_HTTP2 = 2;
  PROTOCOL_GRPC = 3;
  PROTOCOL_POSTGRES = 4;
  PROTOCOL_REDIS = 5;
  PROTOCOL_MYSQL = 6;
}

// Why a message is not whole.
enum Cut {
  CUT_NONE = 0;
  CUT_LIMIT = 1;
  CUT_GAP = 2;
  CUT_CLOSE = 3;
  CUT_END = 4;
  CUT_UNDECODABLE = 5;
}

// Why an exchange has no response.
enum Missing {
  MISSING_UNSPECIFIED = 0;
  MISSING_LATE = 1;
  MISSING_GAP = 2;
  MISSING_CLOSE = 3;
  MISSING_END = 4;
  MISSING_UNDECODABLE = 5;
  MISSING_ABSENT = 6;
}

// What changed since the last Ledger of the recording. Sums of deltas balance: seen is the sum of all other fields.
message Ledger {
  LedgerRow connections = 1;
  LedgerRow requests = 2;
  LedgerRow responses = 3;
  LedgerRow bytes = 4;
  // Breaks fates down: "requests.undecodable.two-lengths".
  repeated LedgerReason reasons = 5;
}

message LedgerReason {
  string reason = 1;
  sint64 count = 2;
}

message LedgerRow {
  sint64 seen = 1;
  sint64 whole = 2;
  sint64 cut = 3;
  sint64 filtered = 4;
  sint64 sampled = 5;
  sint64 gap = 6;
  sint64 mid_stream = 7;
  sint64 opaque = 8;
  sint64 undecodable = 9;
  sint64 dropped = 10;
  sint64 framing = 11;
  sint64 pending = 12;
}

// What masking took from the exchanges of this chunk, encrypted.
message Sealed {
  // An Originals: a nonce of 12 bytes, AES-256-GCM ciphertext, a tag of 16 bytes.
  bytes box = 1;
}

// Never in a recording as it is, only sealed.
message Originals {
  // Each distinct value once.
  repeated bytes values = 1;
  repeated ExchangeOriginals exchanges = 2;
}

message ExchangeOriginals {
  uint64 exchange_id = 1;
  MessageOriginals request = 2;
  // Of the response, or of the late response.
  MessageOriginals response = 3;
  // One more than the index of its value; 0 where the session key is as it was.
  uint64 session = 4;
}

// Changes of masked bytes, from front to back, three numbers each: where it starts, how many masked bytes are replaced, and the index of
// the value that was received in their place.
message MessageOriginals {
  repeated uint64 head = 1;
  repeated uint64 body = 2;
  repeated uint64 trailers = 3;
  // The message is cut only because its body was withheld.
  bool was_whole = 4;
}
`
