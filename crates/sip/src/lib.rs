//! SIP signalling: messages, transactions, dialogs, SDP offer/answer, UDP and TCP transport.
