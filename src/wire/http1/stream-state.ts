/**
 * Where a stream is:
 *
 *     hold, first > start > head > judge > body > start …        while every byte is accounted for
 *     resync > head > judge                                      after a loss: looking for the next provable head
 *     refusable                                                  between a head that expects a 100 and what follows it
 *     blocked                                                    until the other direction decides what the bytes are
 *     lost, opaque, undecodable, done                            to the end
 */
export type StreamState =
  | 'hold'
  | 'first'
  | 'start'
  | 'head'
  | 'judge'
  | 'body'
  | 'refusable'
  | 'resync'
  | 'blocked'
  | 'lost'
  | 'opaque'
  | 'undecodable'
  | 'done'
