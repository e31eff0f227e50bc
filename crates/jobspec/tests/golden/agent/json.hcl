
{ "client": {} }
