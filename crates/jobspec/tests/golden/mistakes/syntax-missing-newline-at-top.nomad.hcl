job "a" { } job "b" { }
