job "a" { /* never closed
}
