job "a" }
