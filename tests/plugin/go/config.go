package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/nomad/helper/pluginutils/hclspecutils"
	"github.com/hashicorp/nomad/helper/pluginutils/hclutils"
	"github.com/hashicorp/nomad/plugins/shared/hclspec"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/msgpack"
)

// A value of a configuration as Nomad gets it from a plugin's schema and a block.
func decode(spec *hclspec.Spec, block map[string]any) (cty.Value, error) {
	if spec == nil {
		return cty.NilVal, errors.New("there is no schema")
	}
	decoder, diagnostics := hclspecutils.Convert(spec)
	if diagnostics.HasErrors() {
		return cty.NilVal, fmt.Errorf("the schema does not convert: %w", diagnostics)
	}
	value, diagnostics, errs := hclutils.ParseHclInterface(block, decoder, nil)
	if diagnostics.HasErrors() {
		return cty.NilVal, errors.Join(errs...)
	}
	return value, nil
}

// The same in the form in which a plugin gets it.
func encode(spec *hclspec.Spec, block map[string]any) ([]byte, error) {
	value, err := decode(spec, block)
	if err != nil {
		return nil, err
	}
	return msgpack.Marshal(value, value.Type())
}
