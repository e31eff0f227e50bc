jobs "a" {
}
name = "x"
foo {
}
