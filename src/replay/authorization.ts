/** Where the Authorization of all requests comes from, when it is not the recorded one. */
export interface AuthorizationSource {
  /** The value that is good now; what is made ready to be sent may wait for it. */
  current(): Promise<string>
}
