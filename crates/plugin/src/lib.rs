//! The go-plugin face: handshake, gRPC services, wire types to driver types.
