/* What is started: nothing, linked statically, so that a start is all there is to measure. */
int main(void) { return 0; }
