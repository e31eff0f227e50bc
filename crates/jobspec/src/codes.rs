//! The table of diagnostic codes. A code keeps its meaning for ever and is never given a second time.

/// One kind of mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable, `E1001`.
    pub id: &'static str,
    /// What is wrong, in the fewest words.
    pub summary: &'static str,
}

macro_rules! codes {
    ($($name:ident = $id:literal $summary:literal;)*) => {
        $(pub(crate) const $name: Code = Code { id: $id, summary: $summary };)*

        /// Every code, in ascending order.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    NOT_SUPPORTED_YET = "E1000" "Not supported yet";

    INVALID_SYNTAX = "E1001" "Invalid syntax";
    TOO_DEEP = "E1002" "Nested too deeply";
    SHELL_SYNTAX = "E1003" "Shell syntax inside HCL";
    QUOTED_ARGUMENT_NAME = "E1004" "Invalid argument name";
    ONE_LINE_BLOCK = "E1005" "Invalid single-argument block definition";
    MULTI_LINE_STRING = "E1006" "Invalid multi-line string";
    UNCLOSED = "E1007" "Unclosed configuration";
    DUPLICATE_ARGUMENT = "E1008" "Duplicate argument";
    MISSING_NEWLINE = "E1009" "Missing newline after argument";
    FILE_TOO_LARGE = "E1010" "File too large";

    INVALID_OPERAND = "E1101" "Invalid operand";
    DIVISION_BY_ZERO = "E1102" "Division by zero";
    INEXACT_NUMBER = "E1103" "Inexact number";
    INCONSISTENT_CONDITIONAL = "E1104" "Inconsistent conditional result types";
    WRONG_TYPE = "E1105" "Incorrect attribute value type";
    NUL_IN_STRING = "E1106" "Invalid character";
    INVALID_OBJECT_KEY = "E1107" "Invalid object key";
    UNKNOWN_VARIABLE = "E1108" "Unknown variable";
    UNSUPPORTED_ATTRIBUTE = "E1109" "Unsupported attribute";
    INVALID_INDEX = "E1110" "Invalid index";
    INVALID_TEMPLATE_VALUE = "E1111" "Invalid template interpolation value";
    NOT_ITERABLE = "E1112" "Iteration over non-iterable value";
    RESULT_TOO_LARGE = "E1113" "Result too large";
    INVALID_TEMPLATE = "E1114" "Invalid template";

    UNKNOWN_FUNCTION = "E1115" "Call to unknown function";
    ARGUMENT_COUNT = "E1116" "Wrong number of function arguments";
    INVALID_FUNCTION_ARGUMENT = "E1117" "Invalid function argument";
    FUNCTION_FAILED = "E1118" "Error in function call";
    INVALID_EXPANSION = "E1119" "Invalid expanding argument value";
    CONSTANT_REQUIRED = "E1120" "Variables not allowed";
    DUPLICATE_KEY = "E1121" "Duplicate object key";
    INVALID_CONDITION = "E1122" "Incorrect condition type";

    UNSUPPORTED_ARGUMENT = "E1201" "Unsupported argument";
    UNSUPPORTED_BLOCK = "E1202" "Unsupported block type";
    DUPLICATE_BLOCK = "E1203" "Duplicate block";
    MISSING_BLOCK = "E1204" "Missing block";
    MISSING_ARGUMENT = "E1205" "Missing required argument";
    MISSING_LABEL = "E1206" "Missing name for block";
    EXTRANEOUS_LABEL = "E1207" "Extraneous label for block";

    INVALID_NAME = "E1301" "Invalid name";
    DUPLICATE_NAME = "E1302" "Duplicate name";
    INVALID_JOB_TYPE = "E1303" "Invalid job type";
    INVALID_DURATION = "E1304" "Unsuitable duration value";
    OUT_OF_RANGE = "E1305" "Value out of range";
    INVALID_RESTART = "E1306" "Invalid restart policy";
    INVALID_ENV_NAME = "E1307" "Invalid environment variable name";
    INVALID_DATACENTERS = "E1308" "Invalid datacenters";
    INVALID_VOLUME = "E1320" "Invalid volume";
    CPU_AND_CORES = "E1321" "Conflicting resources";
    INVALID_CONSTRAINT = "E1322" "Invalid constraint";
    INVALID_NETWORK = "E1323" "Invalid network";
    INVALID_PORT = "E1324" "Invalid port";
    NEEDS_A_CLUSTER = "E1325" "Needs a cluster";
    INVALID_WORD = "E1326" "Invalid value";
    INVALID_LIFECYCLE = "E1330" "Invalid lifecycle";
    INVALID_LOGS = "E1331" "Invalid logs";
    INVALID_MAX_RUN_DURATION = "E1332" "Invalid max_run_duration";
    INVALID_TEMPLATE_BLOCK = "E1340" "Invalid template block";
    INVALID_ARTIFACT = "E1350" "Invalid artifact";

    DUPLICATE_VARIABLE = "E1401" "Duplicate variable";
    INVALID_TYPE = "E1402" "Invalid type specification";
    INVALID_DEFAULT = "E1403" "Invalid default value for variable";
    UNSET_VARIABLE = "E1404" "Unset variable";
    UNDEFINED_VARIABLE = "E1405" "Undefined variable";
    INVALID_VARIABLE_VALUE = "E1406" "Invalid value for variable";
    INVALID_VALIDATION = "E1407" "Invalid variable validation";
    CIRCULAR_LOCALS = "E1408" "Circular locals";
    DECLARATION_AMONG_VALUES = "E1409" "Variable declaration in a .var file";
    INVALID_VARIABLE_FILE = "E1410" "Invalid variable file";
    INVALID_DYNAMIC = "E1411" "Invalid dynamic block";

    WITHOUT_EFFECT = "W1401" "Without effect here";
    DIFFERENT_HERE = "W1402" "Different here";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_are_unique() {
        assert!(CODES.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}
