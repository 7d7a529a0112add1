"""Read workbooks: .xlsx, .xlsm, .xlsb, .xls and .ods."""
